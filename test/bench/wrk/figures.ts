/** Medians of the rounds, and what they are compared with. Pure. */
import { spreadOf } from "../forwarding-figures.ts";
import type { Said } from "./said.ts";
import { WAYS } from "./ways.ts";

/** A request on a connection that is open, or each with one of its own. */
export const KINDS = ["keepalive", "new"] as const;
export type Kind = (typeof KINDS)[number];

export interface Sample extends Omit<Said, "requests"> {
  /** Requests for a second of the guest's processor time: what other programs of this machine took is not in it. */
  readonly perSecond: number;
  readonly way: string;
  readonly kind: Kind;
  readonly pods: number;
}

export interface Figure {
  readonly name: string;
  readonly way: string;
  readonly kind: Kind;
  readonly pods: number;
  /** Of the guest's processor time. */
  readonly per_second: number;
  readonly p50_ms: number;
  readonly p99_ms: number;
  /** Of all rounds. */
  readonly failed: number;
  /** Processor time that the way adds to a request: to that by `routed`, where its pods are as near. */
  readonly added_us?: number;
  /** Requests a second as a part of those by `against`. */
  readonly ratio?: number;
  readonly against?: string;
  readonly bar?: number;
  readonly bar_is_least?: true;
  readonly met?: boolean;
}

/** A proxy in user space reads and writes each byte: forwarding has to be worth at least so many times that. */
const LEAST = 2;
/** What is compared with which: Genkan with nginx, where its pods are as far. */
const AGAINST: Readonly<Record<string, string>> = { genkan: "nginx", "genkan-far": "nginx-far" };

const BASE = "routed";

/** In the order of the ways; the fewest pods first. */
export function figuresOf(samples: readonly Sample[]): Figure[] {
  const groups = Map.groupBy(samples, ({ way, kind, pods }) => nameOf(way, kind, pods));
  const median = (name: string, of: (sample: Sample) => number): number =>
    spreadOf((groups.get(name) ?? []).map(of)).median;
  return WAYS.flatMap(({ name: way, pods: place, balancer }) =>
    KINDS.flatMap((kind) => {
      const counts = new Set(
        samples.filter((one) => one.way === way && one.kind === kind).map(({ pods }) => pods),
      );
      return [...counts]
        .toSorted((a, b) => a - b)
        .map((pods): Figure => {
          const name = nameOf(way, kind, pods);
          const perSecond = median(name, (one) => one.perSecond);
          const against = AGAINST[way];
          const other =
            against === undefined ? undefined : median(nameOf(against, kind, pods), (one) => one.perSecond);
          return {
            ...{ name, way, kind, pods },
            per_second: Math.round(perSecond),
            p50_ms: rounded(median(name, (one) => one.p50Ms)),
            p99_ms: rounded(median(name, (one) => one.p99Ms)),
            failed: (groups.get(name) ?? []).reduce((sum, one) => sum + one.failed, 0),
            ...(place === "near" &&
              balancer !== "none" && {
                added_us: rounded(
                  1e6 / perSecond - 1e6 / median(nameOf(BASE, kind, pods), (one) => one.perSecond),
                ),
              }),
            ...(against !== undefined &&
              other !== undefined && {
                ...{ ratio: rounded(perSecond / other), against, bar: LEAST, bar_is_least: true },
                met: perSecond / other >= LEAST,
              }),
          };
        });
    }),
  );
}

const nameOf = (way: string, kind: Kind, pods: number): string => `wrk-${way}-${kind}-${pods}`;
const rounded = (value: number): number => Math.round(value * 100) / 100;
