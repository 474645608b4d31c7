import assert from "node:assert/strict";
import { test } from "node:test";
import { internetChecksum } from "./checksum.ts";

const bytes = (hex: string): Buffer => Buffer.from(hex.replaceAll(" ", ""), "hex");

const SUMS: readonly [what: string, parts: string[], sum: number][] = [
  // RFC 1071 section 3: the words sum up to ddf2.
  ["the example of the RFC", ["0001 f203 f4f5 f6f7"], 0x220d],
  ["the same in parts", ["0001 f203", "f4f5 f6f7"], 0x220d],
  ["an odd end", ["0001 f2"], 0x0dfe],
  ["nothing", [], 0xffff],
  ["a carry out of a carry", ["ffff ffff 0001"], 0xfffe],
  ["what has its checksum", ["0001 f203 f4f5 f6f7", "220d"], 0],
];
for (const [what, parts, sum] of SUMS) {
  test(`Internet checksum: ${what}`, () => {
    assert.equal(internetChecksum(...parts.map(bytes)), sum);
  });
}
