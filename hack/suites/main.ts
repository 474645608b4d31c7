/**
 * `node hack/suites/main.ts SUITE...`, or `all`: one suite after the other, whether or not those before passed; ends
 * with 1 if one failed, and with the names of the tests that did. `--list` prints what there is.
 */
import { say } from "#hack/common/progress.ts";
import { failuresIn, failuresOf } from "#hack/suites/failures.ts";
import { prepareSuites } from "#hack/suites/prepare.ts";
import { runSuite } from "#hack/suites/run.ts";
import { SUITES, type Suite } from "#hack/suites/suites.ts";

const names = process.argv.slice(2);
if (names.includes("--list")) {
  for (const { name, patterns, sharing } of SUITES) {
    process.stdout.write(`${name} (${sharing}): ${patterns.join(" ")}\n`);
  }
  process.exit(0);
}
const areKnown = names.every((name) => name === "all" || SUITES.some((suite) => suite.name === name));
const chosen: readonly Suite[] = names.includes("all")
  ? SUITES.filter(({ onlyByName }) => onlyByName !== true)
  : names.flatMap((name) => SUITES.filter((suite) => suite.name === name));
if (chosen.length === 0 || !areKnown) {
  process.stderr.write(`usage: main.ts --list | all | ${SUITES.map(({ name }) => name).join(" | ")} ...\n`);
  process.exit(2);
}
await prepareSuites(chosen, say);
const failed: string[] = [];
const reports: string[] = [];
for (const suite of chosen) {
  const { passed, isInterrupted, seconds, byFile, output } = await runSuite(suite, (text) =>
    process.stdout.write(text),
  );
  const slowest = Object.entries(byFile).sort(([, a], [, b]) => b - a);
  for (const [file, took] of slowest.slice(0, 5)) say(`${file} took ${took.toFixed(1)} s`);
  say(`suite ${suite.name} ${passed ? "passed" : "FAILED"} after ${seconds.toFixed(0)} s`);
  // Whoever presses Ctrl-C wants no further suite.
  if (isInterrupted) process.exit(130);
  if (passed) continue;
  failed.push(suite.name, ...failuresIn(output));
  reports.push(`${suite.name}:`, failuresOf(output));
}
if (failed.length > 0) {
  // Once more at the end: many who look at a run see its last lines only.
  process.stdout.write(`\n${reports.join("\n")}\n\n`);
  say(`FAILED: ${failed.join("\n  ")}`);
  process.exit(1);
}
