import assert from "node:assert/strict";
import { test } from "node:test";
import { svgOf } from "#hack/pictures/svg.ts";
import { page } from "./page.ts";
import { plot } from "./plot.ts";
import { type BenchmarkRun, keep, type Run } from "./runs.ts";

const benchmark = (name: string, p99: number, met: boolean): BenchmarkRun => ({
  name,
  seconds: 12.4,
  load: "2 processors were busy 50 % of the time",
  figures: [{ name: `${name}-figure`, values: { p50_ms: 1, p99_ms: p99, bar: 50, met } }],
});
const runOf = (commit: string, ...benchmarks: BenchmarkRun[]): Run => ({
  date: "2026-11-29",
  commit,
  machine: { kernel: "6.18" },
  benchmarks,
});

test("the page has every figure beside that of the run before, and names what misses its bar", () => {
  const first = keep(runOf("aaa", benchmark("plan", 20, true), benchmark("bgp", 10, true)), undefined);
  const text = page(keep(runOf("bbb", benchmark("plan", 60, false)), first));
  assert.match(text, /Bars that are missed: `plan-figure`\./);
  assert.match(
    text,
    /\| `plan-figure` \| p50_ms 1, p99_ms 60 \| {2}\| {2}\| p99_ms 50 \| \*\*no\*\* \| p99_ms 20 \(3 x\) \|/,
  );
  assert.match(text, /\*Before\* is the run of 2026-11-29, aaa\./);
  // It was not run again, and is not lost.
  assert.match(text, /\| `bgp-figure` \|/);
});

test("a benchmark that failed says so, and is no empty table", () => {
  const failed: BenchmarkRun = { ...benchmark("scale", 1, true), figures: [], failure: "exit code 2" };
  const text = page(keep(runOf("aaa", failed), undefined));
  assert.match(text, /\*\*It failed: exit code 2\*\*/);
  assert.match(text, /No figures\./);
  assert.match(text, /There is no earlier run to compare with\./);
});

test("a figure's bar in the plot ends beyond the line if it misses, and at the edge if it misses by far", () => {
  const widths = [20, 60, 5_000].map((p99) => plot(runOf("a", benchmark("plan", p99, true))).shapes[0]);
  assert.deepEqual(
    widths.map((shape) => [shape?.width, shape?.tone]),
    [
      [96, "reply"],
      [288, "fault"],
      [360, "fault"],
    ],
  );
  assert.match(svgOf(plot(runOf("a", benchmark("plan", 20, true))), "bench.json"), /p99_ms 20 of 50/);
});
