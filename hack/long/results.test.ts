import assert from "node:assert/strict";
import { test } from "node:test";
import { failedTests, page } from "#hack/long/results.ts";

test("failed tests are named once, though the reporter names them twice", () => {
  const output = `✔ fine (1.5ms)
▶ group
  ✖ inner (20.1ms)
✖ group (22ms)
ℹ fail 1

✖ failing tests:

test at a.test.ts:1:1
✖ inner (20.1ms)
  AssertionError: ✖ not a test
`;
  assert.deepEqual(failedTests(output), ["inner", "group"]);
});

test("the page counts runs and failures by their tests", () => {
  const runs = [
    { suite: "unit", seconds: 30, failed: [] },
    { suite: "unit", seconds: 10, failed: ["a", "b"] },
    { suite: "unit", seconds: 20, failed: ["b"] },
    { suite: "e2e", seconds: 400, failed: [] },
  ];
  const circumstances = {
    commit: "abc",
    kernel: "6.1",
    cores: 2,
    place: "ip_vs in the guest",
    began: new Date("2026-01-02T03:04:05Z"),
    ended: new Date("2026-01-02T05:04:05Z"),
  };
  const text = page(runs, circumstances);
  assert.match(
    text,
    /from 2026-01-02 03:04 to 2026-01-02 05:04 UTC, 2 cores, Linux 6\.1; ip_vs in the guest/,
  );
  assert.match(text, /\| unit \| 3 \| 2 \| 10 \| 20 \| 30 \|\n\| e2e \| 1 \| 0 \| 400 \| 400 \| 400 \|/);
  assert.match(text, /- 2 x unit: b\n- 1 x unit: a\n/);
  assert.match(page([], circumstances), /No test failed/);
});
