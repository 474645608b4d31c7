/**
 * `make test-long`: every group of tests again and again until the time is over, to find what fails rarely. Each run
 * is counted at once in docs/results/test-long.md, so that whoever stops it keeps what it found.
 *   main.ts [--hours 4] [--only GROUP]
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { appendFile, mkdir, writeFile } from "node:fs/promises";
import { cpus, release } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { CHECKOUT } from "#hack/common/checkout.ts";
import { run } from "#hack/common/command.ts";
import { say, watched } from "#hack/common/progress.ts";
import { hasIpvs } from "#hack/guest/ipvs.ts";
import { failedTests, page, type Run } from "#hack/long/results.ts";

const UNIT = ["api", "common", "operator", "controller", "speaker"].map((folder) => `${folder}/**/*.test.ts`);
/** Property tests draw new cases in each run; the others meet new timing. */
const GROUPS: Readonly<Record<string, readonly string[]>> = {
  unit: UNIT,
  integration: ["test/integration/**/*.test.ts"],
  layer2: ["test/layer2/**/*.test.ts"],
  dataplane: ["test/dataplane/**/*.test.ts"],
  interop: ["test/interop/**/*.test.ts"],
  bfd: ["test/bfd/**/*.test.ts"],
  lab: ["test/lab/**/*.test.ts"],
  e2e: ["test/e2e/**/*.test.ts"],
};
const RESULTS = join(CHECKOUT, "docs/results/test-long.md");
/** Everything that failed runs printed. */
const LOG = join(CHECKOUT, "build/test-long.log");

async function runOnce(group: string, patterns: readonly string[]): Promise<Run> {
  const began = performance.now();
  const argv = ["--test", "--test-reporter=spec", "--test-concurrency=1", ...patterns];
  const child = spawn(process.execPath, argv, { cwd: CHECKOUT, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  }
  const [code] = (await once(child, "close")) as [number | null];
  const names = failedTests(output);
  const failed = code === 0 ? [] : names.length > 0 ? names : [`ended with ${code ?? "a signal"}`];
  if (failed.length > 0) await appendFile(LOG, `=== ${group}\n${output}\n`);
  return { suite: group, seconds: (performance.now() - began) / 1000, failed };
}

const { values } = parseArgs({ options: { hours: { type: "string" }, only: { type: "string" } } });
const hours = Number(values.hours ?? 4);
const groups = Object.entries(GROUPS).filter(([name]) => values.only === undefined || values.only === name);
if (!(hours > 0) || groups.length === 0) {
  process.stderr.write(`usage: main.ts [--hours N] [--only ${Object.keys(GROUPS).join("|")}]\n`);
  process.exit(2);
}
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
  for (const [group, patterns] of groups) {
    if (performance.now() >= end) break;
    const what = `round ${round}: ${group}`;
    const result = await watched(what, runOnce(group, patterns), say);
    runs.push(result);
    const outcome = result.failed.length === 0 ? "passed" : `FAILED: ${result.failed.join("; ")}`;
    say(`${what} ${outcome} (${result.seconds.toFixed(0)} s)`);
    await writeFile(RESULTS, page(runs, { ...circumstances, ended: new Date() }));
  }
}
say(`results: ${RESULTS}`);
process.exitCode = runs.some(({ failed }) => failed.length > 0) ? 1 : 0;
