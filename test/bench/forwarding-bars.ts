/** Rates of requests beside those by nftables DNAT in chains like kube-proxy's, and the bars for them. Pure. */
import type { Family } from "#api/address.ts";
import { spreadOf } from "./forwarding-figures.ts";
import type { Kind, Sample } from "./forwarding-samples.ts";

interface Bar {
  readonly name: string;
  readonly way: string;
  readonly against: string;
  readonly kind: Kind;
  /** Rate of requests by ours, as a part of the other's. At least. */
  readonly bar: number;
}

const BARS: readonly Bar[] = [
  { name: "requests-local-keepalive", way: "genkan", against: "dnat", kind: "keep", bar: 0.95 },
  { name: "requests-local-new", way: "genkan", against: "dnat", kind: "new", bar: 0.9 },
  { name: "requests-remote-keepalive", way: "genkan-far", against: "dnat-far", kind: "keep", bar: 0.85 },
  { name: "requests-remote-new", way: "genkan-far", against: "dnat-far", kind: "new", bar: 0.85 },
];

export interface JudgedRate {
  readonly name: string;
  readonly place: Sample["place"];
  /** Of the family that does worse. */
  readonly ratio: number;
  readonly [rateOfFamily: `ratio_${string}`]: number;
  readonly against: "kube-proxy-nftables";
  readonly bar: number;
  /** The ratio is to be no less than the bar. */
  readonly bar_is_least: true;
  readonly met: boolean;
}

/** Of samples of one place; none for what was not measured there. Compared round by round, medians of the rounds. */
export function judgeRates(samples: readonly Sample[]): JudgedRate[] {
  return BARS.flatMap(({ name, way, against, kind, bar }) => {
    const families = Map.groupBy(
      samples.filter((sample) => sample.kind === kind && sample.faults === 0),
      ({ family }) => family,
    );
    const rates = [...families].flatMap(([family, all]): [Family, number][] => {
      const others = new Map(
        all.filter((one) => one.way === against).map((one) => [one.round, one.cpuMicros]),
      );
      const ratios = all
        .filter((one) => one.way === way)
        .flatMap(({ round, cpuMicros }) => {
          const other = others.get(round);
          return other === undefined ? [] : [other / cpuMicros];
        });
      return ratios.length === 0 ? [] : [[family, rounded(spreadOf(ratios).median)]];
    });
    const [first] = samples;
    if (rates.length === 0 || first === undefined) return [];
    const worst = Math.min(...rates.map(([, rate]) => rate));
    return [
      {
        name,
        place: first.place,
        ratio: worst,
        ...Object.fromEntries(rates.map(([family, rate]) => [`ratio_${family}`, rate])),
        against: "kube-proxy-nftables",
        bar,
        bar_is_least: true,
        met: worst >= bar,
      },
    ];
  });
}

const rounded = (ratio: number): number => Math.round(ratio * 1_000) / 1_000;
