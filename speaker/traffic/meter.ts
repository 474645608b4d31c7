/**
 * What comes in at this node for each Service, made of what the kernel has counted for marks. The kernel begins at 0 again
 * for a mark that is made anew, so the growth of each mark is added up here. Pure but for what it remembers.
 */
import { tierOf } from "#speaker/forwarding/mark.ts";
import type { MarkTraffic } from "#speaker/netlink/ipvs-traffic.ts";

export interface Traffic {
  readonly connections: number;
  readonly packets: number;
  readonly bytes: number;
}

export interface ServiceTraffic {
  /** `namespace/name`. */
  readonly service: string;
  /** Since it was first measured here. */
  readonly total: Traffic;
  /** A second, between the last two readings. */
  readonly rate: Traffic;
}

interface Kept {
  total: Traffic;
  /** Since the last reading. */
  grown: Traffic;
}

const NOTHING: Traffic = { connections: 0, packets: 0, bytes: 0 };
const KINDS = ["connections", "packets", "bytes"] as const;

export class Meter {
  #marks = new Map<string, Traffic>();
  #services = new Map<string, Kept>();
  /** Of the last reading that was whole, in milliseconds. */
  #readAt: number | undefined;

  /**
   * One reading, which may come in parts. `serviceOf`: whose a mark is; undefined: nobody's any more. What is not in it is
   * forgotten. Between two parts others may work.
   */
  async read(
    parts: Iterable<readonly MarkTraffic[]>,
    serviceOf: (mark: number) => string | undefined,
    { at, breathe }: { readonly at: number; readonly breathe: () => Promise<void> },
  ): Promise<readonly ServiceTraffic[]> {
    const marks = new Map<string, Traffic>();
    const services = new Map<string, Kept>();
    for (const part of parts) {
      for (const { family, mark, ...now } of part) {
        // What comes by tier 2 was counted where it came into the cluster.
        const service = tierOf(mark) === 1 ? serviceOf(mark) : undefined;
        if (service === undefined) continue;
        const key = `${mark} ${family}`;
        // One that is new, or that the list before had missed, begins here.
        const before = this.#marks.get(key) ?? now;
        marks.set(key, now);
        const kept = services.get(service) ?? {
          total: this.#services.get(service)?.total ?? NOTHING,
          grown: NOTHING,
        };
        const grown = map((kind) => growth(before[kind], now[kind]));
        kept.grown = sum(kept.grown, grown);
        kept.total = sum(kept.total, grown);
        services.set(service, kept);
      }
      await breathe();
    }
    const seconds = Math.max(0.001, (at - (this.#readAt ?? at)) / 1_000);
    this.#readAt = at;
    this.#marks = marks;
    this.#services = services;
    return [...services].map(([service, { total, grown }]) => ({
      service,
      total,
      rate: map((kind) => grown[kind] / seconds),
    }));
  }
}

/** A count that became smaller has begun anew. */
const growth = (before: number, now: number): number => (now >= before ? now - before : now);

function map(of: (kind: keyof Traffic) => number): Traffic {
  const [connections = 0, packets = 0, bytes = 0] = KINDS.map(of);
  return { connections, packets, bytes };
}

const sum = (a: Traffic, b: Traffic): Traffic => map((kind) => a[kind] + b[kind]);
