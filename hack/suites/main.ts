/**
 * `node hack/suites/main.ts SUITE...`: one suite after the other, or `all`: step after step, whether or not those before
 * passed; ends with 1 if one failed, and with the names of the tests that did. `--list` prints what there is.
 */
import { say } from "#hack/common/progress.ts";
import { failuresIn, failuresOf } from "#hack/suites/failures.ts";
import { prepareSuites } from "#hack/suites/prepare.ts";
import { runSuite } from "#hack/suites/run.ts";
import { SUITES, type Suite, stepsOf } from "#hack/suites/suites.ts";

/** Of a track among those of its step. */
interface Place {
  readonly isFirst: boolean;
  readonly isAlone: boolean;
}

const names = process.argv.slice(2);
if (names.includes("--list")) {
  for (const { name, patterns, sharing } of SUITES) {
    process.stdout.write(`${name} (${sharing}): ${patterns.join(" ")}\n`);
  }
  process.exit(0);
}
const areKnown = names.every((name) => name === "all" || SUITES.some((suite) => suite.name === name));
if (names.length === 0 || !areKnown) {
  process.stderr.write(`usage: main.ts --list | all | ${SUITES.map(({ name }) => name).join(" | ")} ...\n`);
  process.exit(2);
}
const steps = stepsOf(names);
await prepareSuites(steps.flat(2), say);
const failed: string[] = [];
const reports: string[] = [];
/** What a track's suites print comes in one piece each where another track prints, too. */
async function runTrack(track: readonly Suite[], { isFirst, isAlone }: Place): Promise<void> {
  for (const suite of track) {
    if (!isAlone) say(`suite ${suite.name} runs`);
    const write = (text: string): unknown => process.stdout.write(text);
    const outcome = await runSuite(suite, isAlone ? write : () => {}, { givesWay: !isFirst });
    if (!isAlone) write(outcome.output);
    const { passed, isInterrupted, seconds, byFile, output } = outcome;
    const slowest = Object.entries(byFile).sort(([, a], [, b]) => b - a);
    for (const [file, took] of slowest.slice(0, 5)) say(`${file} took ${took.toFixed(1)} s`);
    say(`suite ${suite.name} ${passed ? "passed" : "FAILED"} after ${seconds.toFixed(0)} s`);
    // Whoever presses Ctrl-C wants no further suite.
    if (isInterrupted) process.exit(130);
    if (passed) continue;
    failed.push(suite.name, ...failuresIn(output));
    reports.push(`${suite.name}:`, failuresOf(output));
  }
}
for (const tracks of steps) {
  const isAlone = tracks.length === 1;
  await Promise.all(tracks.map((track, at) => runTrack(track, { isFirst: at === 0, isAlone })));
}
if (failed.length > 0) {
  // Once more at the end: many who look at a run see its last lines only.
  process.stdout.write(`\n${reports.join("\n")}\n\n`);
  say(`FAILED: ${failed.join("\n  ")}`);
  process.exit(1);
}
