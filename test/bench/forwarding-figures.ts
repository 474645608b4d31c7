/** From samples to figures: medians, and differences between samples that were taken side by side. Pure. */
import type { Family } from "#api/address.ts";
import type { Kind, Sample } from "./forwarding-samples.ts";
import { baseOf, type Way } from "./forwarding-ways.ts";

export interface Spread {
  readonly median: number;
  /** Half of the rounds lie between these. */
  readonly low: number;
  readonly high: number;
}

export interface Figure {
  readonly place: Sample["place"];
  readonly way: string;
  readonly family: Family;
  readonly kind: Kind;
  /** Processor microseconds of one. */
  readonly micros: Spread;
  /** More than the base of the same round; nothing for a base itself. */
  readonly added?: Spread;
  /** Of the rates for one processor: the base's time by ours. */
  readonly ratio?: number;
  readonly rounds: number;
  readonly leftOut: number;
  /** Of requests, medians of the rounds. */
  readonly p50Micros?: number;
  readonly p99Micros?: number;
}

export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  return { median: quantile(sorted, 0.5), low: quantile(sorted, 0.25), high: quantile(sorted, 0.75) };
}

function quantile(sorted: readonly number[], share: number): number {
  const at = share * (sorted.length - 1);
  const [below = Number.NaN, above = below] = [sorted[Math.floor(at)], sorted[Math.ceil(at)]];
  return below + (above - below) * (at - Math.floor(at));
}

const keyOf = ({ place, family, kind }: Omit<Sample, "way" | "round">): string =>
  `${place} ${family} ${kind}`;

export function figuresOf(samples: readonly Sample[], ways: readonly Way[]): Figure[] {
  const groups = Map.groupBy(samples, keyOf);
  return [...groups.values()].flatMap((group) => {
    const byWay = Map.groupBy(group, (sample) => sample.way);
    return ways.flatMap((way) => {
      const mine = byWay.get(way.name) ?? [];
      const [first] = mine;
      return first === undefined ? [] : [figureOf(first, mine, byWay.get(baseOf(way)) ?? [])];
    });
  });
}

function figureOf(first: Sample, mine: readonly Sample[], base: readonly Sample[]): Figure {
  const good = mine.filter(({ faults }) => faults === 0);
  const baseByRound = new Map(
    base.filter(({ faults }) => faults === 0).map((one) => [one.round, one.cpuMicros]),
  );
  const pairs = good.flatMap(({ round, cpuMicros }) => {
    const against = baseByRound.get(round);
    return against === undefined ? [] : [{ cpuMicros, against }];
  });
  const isBase = base.includes(first);
  const medianOf = (of: (sample: Sample) => number | undefined): number | undefined => {
    const values = good.flatMap((sample) => of(sample) ?? []);
    return values.length === 0 ? undefined : spreadOf(values).median;
  };
  const [p50Micros, p99Micros] = [medianOf((one) => one.p50Micros), medianOf((one) => one.p99Micros)];
  return {
    ...{ place: first.place, way: first.way, family: first.family, kind: first.kind },
    micros: spreadOf(good.map(({ cpuMicros }) => cpuMicros)),
    ...(isBase || pairs.length === 0
      ? {}
      : {
          added: spreadOf(pairs.map(({ cpuMicros, against }) => cpuMicros - against)),
          ratio: spreadOf(pairs.map(({ cpuMicros, against }) => against / cpuMicros)).median,
        }),
    rounds: good.length,
    leftOut: mine.length - good.length,
    ...(p50Micros === undefined ? {} : { p50Micros }),
    ...(p99Micros === undefined ? {} : { p99Micros }),
  };
}
