import assert from "node:assert/strict";
import { test } from "node:test";
import { parseDuration } from "#api/duration.ts";

const CASES: readonly [text: string, milliseconds: number | undefined][] = [
  ["90s", 90_000],
  ["1m30s", 90_000],
  ["1.5h", 5_400_000],
  ["300ms", 300],
  ["0", 0],
  ["0s", 0],
  ["", undefined],
  ["90", undefined],
  ["-3s", undefined],
  ["3 s", undefined],
  ["3d", undefined],
];

for (const [text, expected] of CASES) {
  test(`${JSON.stringify(text)} is ${expected} ms`, () => assert.equal(parseDuration(text), expected));
}
