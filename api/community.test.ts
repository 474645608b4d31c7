import assert from "node:assert/strict";
import { test } from "node:test";
import { parseCommunity } from "#api/community.ts";

const CASES: readonly [text: string, expected: ReturnType<typeof parseCommunity>][] = [
  ["65000:100", { kind: "standard", value: 65_000 * 65_536 + 100 }],
  ["65535:65535", { kind: "standard", value: 0xffffffff }],
  ["65536:0", undefined],
  ["0:65536", undefined],
  ["large:4294967295:0:1", { kind: "large", value: [4_294_967_295, 0, 1] }],
  ["large:4294967296:0:1", undefined],
  ["large:1:2", undefined],
  ["no-export", { kind: "standard", value: 0xffffff01 }],
  ["graceful-shutdown", { kind: "standard", value: 0xffff0000 }],
  ["NO-EXPORT", undefined],
  ["", undefined],
];

for (const [text, expected] of CASES) {
  test(`community ${JSON.stringify(text)}`, () => assert.deepEqual(parseCommunity(text), expected));
}
