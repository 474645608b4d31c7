import assert from "node:assert/strict";
import { test } from "node:test";
import { endingOf } from "#hack/suites/endings.ts";

test("of a file that crashed, or ended with a code, there is a line; of a test that failed there is none", () => {
  const ended = (error: object) =>
    endingOf({ type: "test:fail", data: { name: "a.test.ts", details: { error } } });
  assert.equal(ended({ exitCode: null, signal: "SIGSEGV" }), "a.test.ts ended by SIGSEGV\n");
  assert.equal(ended({ exitCode: 13, signal: null }), "a.test.ts ended with exit code 13\n");
  assert.equal(ended({}), "");
  assert.equal(endingOf({ type: "test:pass", data: { name: "a.test.ts" } }), "");
  assert.equal(endingOf({ type: "test:plan" }), "");
});
