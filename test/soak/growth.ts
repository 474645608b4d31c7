/** Whether a long run was lossless, and whether anything grew in it. Pure. */

/** What a process of Genkan had at a moment, or a node's kernel. */
export interface Sample {
  /** Milliseconds from the start. */
  readonly at: number;
  /** `speaker on node1`, `kernel of node1`. */
  readonly of: string;
  /** `memory MiB`, `descriptors`, `rules`. */
  readonly counts: Readonly<Record<string, number>>;
}

/** How a count went, of one thing. */
export interface Growth {
  readonly of: string;
  readonly count: string;
  /** Mean of the first third after the warm-up, and of the last third. */
  readonly first: number;
  readonly last: number;
  readonly hasGrown: boolean;
}

/** This part of the run is a warm-up: heaps fill, and code is compiled. */
const WARM_UP = 0.25;
const PARTS = 3;
/** What a count may grow by: a part of itself, or so much; the larger of the two. */
const ALLOWED: Readonly<Record<string, readonly [part: number, absolute: number]>> = {
  "memory MiB": [0.1, 5],
  descriptors: [0.1, 3],
  "log lines a minute": [0.5, 30],
  // Some ten for each port of a Service, in both families.
  "IPVS entries": [0.1, 40],
};
/** Of kernel objects: a churned Service more or less at the moment of looking. */
const OTHERS = [0.1, 4] as const;

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);

/** By thing and count, in the order in which they were first seen. */
export function growthsOf(samples: readonly Sample[]): Growth[] {
  const end = Math.max(0, ...samples.map(({ at }) => at));
  const series = new Map<string, { of: string; count: string; values: number[] }>();
  for (const { at, of, counts } of samples) {
    if (at < end * WARM_UP) continue;
    for (const [count, value] of Object.entries(counts)) {
      const key = `${of} ${count}`;
      const one = series.get(key) ?? { of, count, values: [] };
      one.values.push(value);
      series.set(key, one);
    }
  }
  return [...series.values()].map(({ of, count, values }) => {
    const part = Math.max(1, Math.floor(values.length / PARTS));
    const [first, last] = [mean(values.slice(0, part)), mean(values.slice(-part))];
    const [share, absolute] = ALLOWED[count] ?? OTHERS;
    return { of, count, first, last, hasGrown: last > first + Math.max(first * share, absolute) };
  });
}

export interface Outcome {
  readonly requests: number;
  readonly failed: number;
  readonly growths: readonly Growth[];
  /** Containers that were started again. */
  readonly restarts: number;
  /** Writes that the API server did not take at once. */
  readonly refused: readonly string[];
  readonly left: readonly string[];
}

/** What was not as promised, in words; none: all was well. */
export function faultsOf({ requests, failed, growths, restarts, refused, left }: Outcome): string[] {
  return [
    ...(requests === 0 ? ["no request was sent"] : []),
    ...(failed === 0 ? [] : [`${failed} of ${requests} requests failed`]),
    ...(restarts === 0 ? [] : [`${restarts} containers were started again`]),
    ...(refused.length === 0 ? [] : [`${refused.length} writes were refused, the first: ${refused[0]}`]),
    ...growths
      .filter(({ hasGrown }) => hasGrown)
      .map(
        ({ of, count, first, last }) => `${of}: ${count} grew from ${first.toFixed(1)} to ${last.toFixed(1)}`,
      ),
    ...left.map((what) => `left behind: ${what}`),
  ];
}
