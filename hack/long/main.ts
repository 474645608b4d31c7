/**
 * `make test-long`: every suite again and again until the time is over, to find what fails rarely. Each run
 * is counted at once in docs/results/test-long.md, so that whoever stops it keeps what it found.
 *   main.ts [--hours 4] [--only SUITE]
 */
import { appendFile, mkdir, writeFile } from "node:fs/promises";
import { cpus, release } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { CHECKOUT } from "#hack/common/checkout.ts";
import { run } from "#hack/common/command.ts";
import { say, watched } from "#hack/common/progress.ts";
import { hasIpvs } from "#hack/guest/ipvs.ts";
import { failedTests, page, type Run } from "#hack/long/results.ts";
import { runSuite } from "#hack/suites/run.ts";
import { SUITES, type Suite } from "#hack/suites/suites.ts";

const RESULTS = join(CHECKOUT, "docs/results/test-long.md");
/** Everything that failed runs printed. */
const LOG = join(CHECKOUT, "build/test-long.log");

async function runOnce(suite: Suite): Promise<Run> {
  const { passed, isInterrupted, seconds, output } = await runSuite(suite, () => {});
  // Cut off by a signal, it says nothing; what was found before is written.
  if (isInterrupted) process.exit(130);
  const names = failedTests(output);
  const failed = passed ? [] : names.length > 0 ? names : ["ended without the name of a test"];
  if (failed.length > 0) await appendFile(LOG, `=== ${suite.name}\n${output}\n`);
  return { suite: suite.name, seconds, failed };
}

const { values } = parseArgs({ options: { hours: { type: "string" }, only: { type: "string" } } });
const hours = Number(values.hours ?? 4);
const suites = SUITES.filter(({ name, onlyByName }) =>
  values.only === undefined ? onlyByName !== true : values.only === name,
);
if (!(hours > 0) || suites.length === 0) {
  process.stderr.write(`usage: main.ts [--hours N] [--only ${SUITES.map(({ name }) => name).join("|")}]\n`);
  process.exit(2);
}
// Nothing is left out to save time (test/network/inside.ts).
process.env.GENKAN_LONG = "1";
await mkdir(join(RESULTS, ".."), { recursive: true });
await mkdir(join(LOG, ".."), { recursive: true });
const circumstances = {
  commit: (await run(["git", "describe", "--always", "--dirty"], { cwd: CHECKOUT })).trim(),
  kernel: release(),
  cores: cpus().length,
  place: hasIpvs() ? "ip_vs of this machine's kernel" : "ip_vs in the guest",
  began: new Date(),
};
const runs: Run[] = [];
const end = performance.now() + hours * 3_600_000;
for (let round = 1; performance.now() < end; round += 1) {
  for (const suite of suites) {
    if (performance.now() >= end) break;
    const what = `round ${round}: ${suite.name}`;
    const result = await watched(what, runOnce(suite), say);
    runs.push(result);
    const outcome = result.failed.length === 0 ? "passed" : `FAILED: ${result.failed.join("; ")}`;
    say(`${what} ${outcome} (${result.seconds.toFixed(0)} s)`);
    await writeFile(RESULTS, page(runs, { ...circumstances, ended: new Date() }));
  }
}
say(`results: ${RESULTS}`);
process.exitCode = runs.some(({ failed }) => failed.length > 0) ? 1 : 0;
