import assert from "node:assert/strict";
import { test } from "node:test";
import { jobsOf, runJob } from "#hack/suites/run.ts";
import type { Suite } from "#hack/suites/suites.ts";

const suite: Suite = { name: "x", patterns: [], sharing: "together", atOnce: 3, limitMinutes: 1 };
const FILES = ["test/a.test.ts", "test/b.test.ts"];

test("together: one run of all files, some at once, with test/end.ts preloaded", () => {
  const [job, ...others] = jobsOf(suite, FILES);
  assert.deepEqual(others, []);
  const argv = job?.argv.join(" ") ?? "";
  assert.match(
    argv,
    /^node --import \S+\/test\/end\.ts --test .*--test-concurrency=3 test\/a\.test\.ts test\/b\.test\.ts$/,
  );
});

test("files that touch nothing share processes, beside the others", () => {
  const jobs = jobsOf(suite, [...FILES, "api/pure.test.ts"], ["api/pure.test.ts"]);
  const [others = "", pure = "", ...more] = jobs.map(({ argv }) => argv.join(" "));
  assert.deepEqual(more, []);
  const files = ["api/a.test.ts", "api/b.test.ts", "api/c.test.ts"];
  assert.deepEqual(
    jobsOf({ ...suite, sharedProcesses: 2 }, files, files).map(({ argv }) => argv.slice(-2)),
    [
      ["api/a.test.ts", "api/c.test.ts"],
      ["--test-isolation=none", "api/b.test.ts"],
    ],
  );
  assert.match(others, /--test-concurrency=3 test\/a\.test\.ts test\/b\.test\.ts$/);
  assert.match(pure, /--test-isolation=none api\/pure\.test\.ts$/);
});

test("apart: a run for each file, in namespaces of its own", () => {
  const jobs = jobsOf({ ...suite, sharing: "apart" }, FILES);
  assert.deepEqual(
    jobs.map(({ file }) => file),
    FILES,
  );
  for (const { argv, file } of jobs) {
    assert.deepEqual(argv.slice(0, 3), ["unshare", "-n", "-m"]);
    assert.match(
      argv.join(" "),
      new RegExp(`--import \\S+/test/end.ts .*--test-concurrency=1 ${file}$`, "s"),
    );
  }
});

test("a run gives what it printed, and whether it ended with 0", async () => {
  const heard: string[] = [];
  const good = await runJob({ argv: ["sh", "-c", "echo out; echo err >&2"] }, 60_000, (text) =>
    heard.push(text),
  );
  assert.equal(good.passed, true);
  assert.deepEqual(good.output.trim().split("\n").toSorted(), ["err", "out"]);
  assert.equal(heard.join(""), good.output);
  assert.equal((await runJob({ argv: ["false"] }, 60_000, () => {})).passed, false);
});

test("a signal ends what runs, and nothing more is begun: whoever presses Ctrl-C means all of it", async () => {
  const run = runJob({ argv: ["sleep", "600"] }, 60_000, () => {});
  process.emit("SIGTERM", "SIGTERM");
  const { passed, isInterrupted } = await run;
  assert.deepEqual({ passed, isInterrupted }, { passed: false, isInterrupted: true });
  assert.equal((await runJob({ argv: ["false"] }, 60_000, () => {})).isInterrupted, false);
});

test("a run that hangs is ended with all that it started, and is a failure with a name", async () => {
  const argv = ["sh", "-c", "sleep 600 & sleep 600"];
  const { passed, output } = await runJob({ argv, file: "test/a.test.ts" }, 100, () => {});
  assert.equal(passed, false);
  assert.match(output, /^✖ test\/a\.test\.ts hangs: ended after its time \(100ms\)$/m);
});
