/** What is kept of runs of all benchmarks: docs/results/bench.json. */
import type { Figure } from "./figures.ts";

export interface BenchmarkRun {
  readonly name: string;
  readonly seconds: number;
  /** Why there are no figures, or not all; undefined: it ended well. A missed bar is no failure. */
  readonly failure?: string;
  /** How busy the machine was meanwhile, in words. */
  readonly load: string;
  readonly figures: readonly Figure[];
}

export interface Run {
  readonly date: string;
  readonly commit: string;
  /** What of -> in words: processors, kernel, versions. */
  readonly machine: Readonly<Record<string, string>>;
  readonly benchmarks: readonly BenchmarkRun[];
}

/** The last run, and the one that it is compared with. */
export interface Kept {
  readonly last: Run;
  readonly before?: Run;
}

/** A run of some benchmarks alone takes the others over from the last one, so that the page stays whole. */
export function keep(run: Run, kept: Kept | undefined): Kept {
  if (kept === undefined) return { last: run };
  const isNew = new Set(run.benchmarks.map(({ name }) => name));
  const others = kept.last.benchmarks.filter(({ name }) => !isNew.has(name));
  return { last: { ...run, benchmarks: [...run.benchmarks, ...others] }, before: kept.last };
}
