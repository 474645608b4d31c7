import assert from "node:assert/strict";
import { test } from "node:test";
import { isNewEnough } from "#hack/lab/programs.ts";

test("which go can build the programs", () => {
  const cases: Array<[string, boolean]> = [
    ["go version go1.19.8 linux/amd64", false],
    ["go version go1.25.11 linux/amd64", false],
    ["go version go1.26.0 linux/amd64", true],
    ["go version go1.27rc1 linux/amd64", true],
    ["go version go2.0 linux/arm64", true],
    ["", false],
    ["sh: go: not found", false],
  ];
  for (const [output, expected] of cases) assert.equal(isNewEnough(output), expected, output);
});
