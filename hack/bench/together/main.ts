/**
 * `make bench`: every benchmark, one after the other, and one page of what they found: docs/results/bench.md, with the
 * run before it beside it (docs/results/bench.json keeps both). A missed bar or a failed benchmark ends it with 1, after
 * the others have run.
 *   main.ts [--only plan,bgp]
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, release } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { CHECKOUT } from "#hack/common/checkout.ts";
import { CommandError, run } from "#hack/common/command.ts";
import { describeLoad, loadSince, readLoad } from "#hack/common/load.ts";
import { say, watched } from "#hack/common/progress.ts";
import { svgOf } from "#hack/pictures/svg.ts";
import { BENCHMARKS, type Benchmark } from "./benchmarks.ts";
import { readFigures } from "./figures.ts";
import { page } from "./page.ts";
import { plot } from "./plot.ts";
import { type BenchmarkRun, type Kept, keep } from "./runs.ts";

const RESULTS = join(CHECKOUT, "docs/results");
const KEPT = join(RESULTS, "bench.json");

interface Printed {
  readonly output: string;
}

async function runOnce({ name, goal, limitMinutes }: Benchmark): Promise<BenchmarkRun> {
  const before = await readLoad();
  const start = performance.now();
  const { output, failure } = await outputOf(goal, limitMinutes);
  return {
    name,
    seconds: (performance.now() - start) / 1_000,
    ...(failure !== undefined && { failure }),
    load: describeLoad(await loadSince(before)),
    figures: readFigures(output),
  };
}

/**
 * What the goal printed, all of its programs: one that misses a bar ends with 1, and must not keep the next from running.
 * An error where no bar was missed is a failure.
 */
async function outputOf(
  goal: readonly string[],
  limitMinutes: number,
): Promise<Pick<BenchmarkRun, "failure"> & Printed> {
  let output = "";
  const signal = AbortSignal.timeout(limitMinutes * 60_000);
  const onOutput = (text: string): void => {
    output += text;
  };
  try {
    await run(["make", "--silent", "--ignore-errors", ...goal], { cwd: CHECKOUT, signal, onOutput });
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    const why = signal.aborted ? `not done after ${limitMinutes} minutes` : error.message.split("\n")[0];
    return { output, failure: why ?? "" };
  }
  const isMissed = readFigures(output).some(({ values }) => values.met === false);
  const error = /^make.*: (.* Error \d+) \(ignored\)$/m.exec(output)?.[1];
  return { output, ...(error !== undefined && !isMissed && { failure: error }) };
}

function readKept(): Kept | undefined {
  try {
    return JSON.parse(readFileSync(KEPT, "utf8")) as Kept;
  } catch {
    return undefined;
  }
}

const { values } = parseArgs({ options: { only: { type: "string" } } });
const chosen = values.only?.split(",");
const unknown = chosen?.filter((name) => !BENCHMARKS.some((benchmark) => benchmark.name === name)) ?? [];
if (unknown.length > 0) {
  process.stderr.write(
    `no benchmark is named ${unknown.join(", ")}: ${BENCHMARKS.map(({ name }) => name).join(", ")}\n`,
  );
  process.exit(2);
}
mkdirSync(RESULTS, { recursive: true });
const machine = {
  processors: `${cpus().length} (${cpus()[0]?.model ?? "?"})`,
  kernel: release(),
  Node: process.versions.node,
};
const commit = (await run(["git", "describe", "--always", "--dirty"], { cwd: CHECKOUT })).trim();
const former = readKept();
const done: BenchmarkRun[] = [];
for (const benchmark of BENCHMARKS.filter(({ name }) => chosen?.includes(name) ?? true)) {
  const result = await watched(benchmark.name, runOnce(benchmark), say);
  done.push(result);
  say(`${benchmark.name}: ${result.failure ?? `${result.figures.length} figures`}`);
  // What was found is kept at once: whoever stops it loses the benchmark that runs and no other.
  const kept = keep(
    { date: new Date().toISOString().slice(0, 10), commit, machine, benchmarks: done },
    former,
  );
  writeFileSync(KEPT, `${JSON.stringify(kept, null, 1)}\n`);
  writeFileSync(join(RESULTS, "bench.md"), page(kept));
  writeFileSync(join(RESULTS, "bench.svg"), svgOf(plot(kept.last), "docs/results/bench.json"));
}
const isMissed = done.some(({ figures }) => figures.some((figure) => figure.values.met === false));
process.exitCode = isMissed || done.some(({ failure }) => failure !== undefined) ? 1 : 0;
