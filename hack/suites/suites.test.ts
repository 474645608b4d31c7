import assert from "node:assert/strict";
import { globSync } from "node:fs";
import { test } from "node:test";
import { CHECKOUT } from "#hack/common/checkout.ts";
import { filesOf, SUITES } from "#hack/suites/suites.ts";

test("every test file is in exactly one suite", () => {
  const all = globSync("**/*.test.ts", { cwd: CHECKOUT, exclude: ["node_modules", ".lab", "build"] });
  const listed = SUITES.flatMap((suite) => filesOf(suite, CHECKOUT));
  assert.deepEqual(listed.toSorted(), all.toSorted());
});

test("every pattern of a suite finds something", () => {
  for (const suite of SUITES) {
    for (const pattern of suite.patterns) {
      assert.notDeepEqual(
        filesOf({ ...suite, patterns: [pattern] }, CHECKOUT),
        [],
        `${suite.name}: ${pattern}`,
      );
    }
  }
});
