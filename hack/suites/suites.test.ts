import assert from "node:assert/strict";
import { globSync } from "node:fs";
import { test } from "node:test";
import { CHECKOUT } from "#hack/common/checkout.ts";
import { filesOf, STEPS, SUITES, stepsOf } from "#hack/suites/suites.ts";

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

test("all of them are those that are not by name only, each once", () => {
  const inAll = SUITES.filter(({ onlyByName }) => onlyByName !== true).map(({ name }) => name);
  assert.deepEqual(STEPS.flat(2).toSorted(), inAll.toSorted());
  assert.deepEqual(
    stepsOf(["all"])
      .flat(2)
      .map(({ name }) => name),
    STEPS.flat(2),
  );
});

test("suites of the machine's own network, or that measure, are alone in a step", () => {
  for (const tracks of stepsOf(["all"])) {
    const alone = tracks.flat().filter(({ sharing }) => sharing === "alone");
    assert.ok(alone.length === 0 || tracks.flat().length === 1, alone.map(({ name }) => name).join());
  }
});

test("suites by name run one after the other, also those of no step", () => {
  const names = ["flows", "unit"];
  assert.deepEqual(
    stepsOf(names).map((tracks) => tracks.map((track) => track.map(({ name }) => name))),
    [[["flows"]], [["unit"]]],
  );
});
