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

type Count = { -readonly [Kind in keyof Traffic]: Traffic[Kind] };

interface Kept {
  readonly total: Count;
  /** Since the last reading. */
  readonly grown: Count;
}

const zero = (): Count => ({ connections: 0, packets: 0, bytes: 0 });
const AF_INET6 = 10;

export class Meter {
  #marks = new Map<number, MarkTraffic>();
  #services = new Map<string, Kept>();
  /** Of the last reading, in milliseconds. */
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
    const marks = new Map<number, MarkTraffic>();
    const services = new Map<string, Kept>();
    for (const part of parts) {
      for (const now of part) {
        // What comes by tier 2 was counted where it came into the cluster.
        const service = tierOf(now.mark) === 1 ? serviceOf(now.mark) : undefined;
        if (service === undefined) continue;
        const key = now.mark * 2 + (now.family === AF_INET6 ? 1 : 0);
        // One that is new, or that the list before had missed, begins here.
        const before = this.#marks.get(key) ?? now;
        marks.set(key, now);
        let kept = services.get(service);
        if (kept === undefined) {
          kept = { total: { ...(this.#services.get(service)?.total ?? zero()) }, grown: zero() };
          services.set(service, kept);
        }
        grow(kept, before, now);
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
      rate: {
        connections: grown.connections / seconds,
        packets: grown.packets / seconds,
        bytes: grown.bytes / seconds,
      },
    }));
  }
}

function grow({ total, grown }: Kept, before: Traffic, now: Traffic): void {
  for (const kind of ["connections", "packets", "bytes"] as const) {
    // A count that became smaller has begun anew.
    const growth = now[kind] >= before[kind] ? now[kind] - before[kind] : now[kind];
    total[kind] += growth;
    grown[kind] += growth;
  }
}
