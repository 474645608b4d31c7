import assert from "node:assert/strict";
import { test } from "node:test";
import { type CheckState, isDue, startCheck, step } from "./check.ts";

const SETTINGS = { intervalMs: 500, rise: 3, fall: 2 };
const FAILED = { type: "failed", why: "no answer" } as const;
const PASSED = { type: "passed" } as const;

/** What is thought of the endpoint after each of the results: "." passed, "x" failed. */
function after(results: string, state: CheckState = startCheck(0)): string {
  return [...results]
    .map((result) => {
      state = step(state, SETTINGS, { type: "begun" }, 0);
      state = step(state, SETTINGS, result === "x" ? FAILED : PASSED, 0);
      return state.isFailing ? "x" : ".";
    })
    .join("");
}

const cases: readonly [what: string, results: string, thought: string][] = [
  ["it is well until `fall` in a row fail, and fails until `rise` in a row pass", "xx....", ".xxx.."],
  ["one that passes between two that fail begins anew", "x.x.x.xx", ".......x"],
  ["one that fails between two that pass begins anew", "xx..x..x...", ".xxxxxxxxx."],
];
for (const [what, results, thought] of cases) test(what, () => assert.equal(after(results), thought));

test("the next check is due an interval after the beginning of this one, and not while it runs", () => {
  const begun = step(startCheck(100), SETTINGS, { type: "begun" }, 130);
  assert.ok(!isDue(begun, 10_000));
  const ended = step(begun, SETTINGS, PASSED, 300);
  assert.ok(!isDue(ended, 629));
  assert.ok(isDue(ended, 630));
});

test("after one that failed the next is due in half the time, until `fall` have", () => {
  const begun = (state: CheckState, now: number): CheckState => step(state, SETTINGS, { type: "begun" }, now);
  const suspected = step(begun(startCheck(0), 1_000), SETTINGS, FAILED, 1_300);
  assert.equal(suspected.dueAt, 1_250);
  const failing = step(begun(suspected, 1_310), SETTINGS, FAILED, 1_610);
  assert.deepEqual([failing.isFailing, failing.dueAt], [true, 1_810]);
  assert.equal(step(begun(failing, 1_810), SETTINGS, FAILED, 2_110).dueAt, 2_310);
  assert.equal(step(begun(failing, 1_810), SETTINGS, PASSED, 1_820).dueAt, 2_310);
});

test("why it failed is the word of the last check", () => {
  const failed = step(startCheck(0), SETTINGS, FAILED, 0);
  assert.equal(failed.why, "no answer");
  assert.equal(step(failed, SETTINGS, PASSED, 0).why, undefined);
});
