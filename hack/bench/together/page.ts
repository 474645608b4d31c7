/** docs/results/bench.md: the last run of all benchmarks, beside the run before it. */
import { BENCHMARKS } from "./benchmarks.ts";
import { type Figure, judgedOf, mainOf, type Value } from "./figures.ts";
import type { BenchmarkRun, Kept, Run } from "./runs.ts";

/** Columns of their own, or words about the run. */
const APART = new Set(["ratio", "against", "bar", "bar_is_least", "met", "kernel", "node", "load", "cpus"]);

export function page({ last, before }: Kept): string {
  const order = BENCHMARKS.map(({ name }) => name);
  const runs = last.benchmarks.toSorted((a, b) => order.indexOf(a.name) - order.indexOf(b.name));
  const missed = runs.flatMap(({ figures }) => figures).filter(({ values }) => values.met === false);
  return [
    "# All benchmarks",
    "",
    `\`make bench\`, ${last.date}, ${last.commit}. ${wordsOf(last.machine)}.`,
    before === undefined
      ? "There is no earlier run to compare with."
      : `*Before* is the run of ${before.date}, ${before.commit}.`,
    "Ratios are made within one run. Times are those of this machine, and the load beside them says how quiet it was.",
    "",
    missed.length === 0
      ? "Every bar is met."
      : `Bars that are missed: ${missed.map(({ name }) => `\`${name}\``).join(", ")}.`,
    "",
    "![Figures as a part of their bars](bench.svg)",
    "",
    ...runs.flatMap((run) => section(run, before)),
  ].join("\n");
}

const wordsOf = (machine: Run["machine"]): string =>
  Object.entries(machine)
    .map(([what, value]) => `${what}: ${value}`)
    .join("; ");

function section(run: BenchmarkRun, before: Run | undefined): string[] {
  const benchmark = BENCHMARKS.find(({ name }) => name === run.name);
  const earlier = before?.benchmarks.find(({ name }) => name === run.name)?.figures ?? [];
  return [
    `## ${run.name}`,
    "",
    ...(benchmark === undefined ? [] : [`${benchmark.question} \`make ${benchmark.goal.join(" ")}\`,`]),
    `${Math.round(run.seconds)} s; ${run.load}.`,
    ...(run.failure === undefined ? [] : ["", `**It failed: ${run.failure}**`]),
    "",
    ...table(run.figures, earlier),
    "",
  ];
}

function table(figures: readonly Figure[], earlier: readonly Figure[]): string[] {
  if (figures.length === 0) return ["No figures."];
  return [
    "| figure | values | ratio | against | bar | met | before |",
    "|---|---|---|---|---|---|---|",
    ...figures.map((figure) => {
      const { ratio, against, bar, met } = figure.values;
      const cells = [`\`${figure.name}\``, valuesOf(figure), ratio, against, barOf(figure, bar), metOf(met)];
      return `| ${[...cells.map(text), beforeOf(figure, earlier)].join(" | ")} |`;
    }),
  ];
}

const valuesOf = ({ values }: Figure): string =>
  Object.entries(values)
    .filter(([key]) => !APART.has(key))
    .map(([key, value]) => `${key} ${text(value)}`)
    .join(", ");

function barOf(figure: Figure, bar: Value | undefined): string {
  const judged = judgedOf(figure);
  return judged === undefined ? text(bar) : `${judged.key} ${judged.bar}`;
}

const metOf = (met: Value | undefined): string => (met === undefined ? "" : met === true ? "yes" : "**no**");

/** What the figure is compared by in the run before, and how many times that this run has. */
function beforeOf(figure: Figure, earlier: readonly Figure[]): string {
  const now = mainOf(figure);
  const old = earlier.find(({ name }) => name === figure.name)?.values[now?.key ?? ""];
  if (now === undefined || typeof old !== "number") return "";
  const times = old === 0 ? "" : ` (${Math.round((now.value / old) * 100) / 100} x)`;
  return `${now.key} ${old}${times}`;
}

/** A pipe would end the cell. */
const text = (value: Value | undefined): string => String(value ?? "").replaceAll("|", "\\|");
