/** What comes in for Services, as live nodes report it where spec.serviceTraffic asks for it. Pure. */
import type { Snapshot } from "#cli/read.ts";
import { speakersOf } from "#cli/speakers.ts";

export interface Rates {
  readonly connectionsPerMinute: number;
  readonly packetsPerSecond: number;
  readonly bytesPerSecond: number;
}

export interface NodeRates extends Rates {
  readonly node: string;
}

export interface Traffic {
  /** Of all nodes; undefined: no node measures. */
  readonly all: Rates | undefined;
  readonly byNode: ReadonlyMap<string, Rates>;
  /** Service -> nodes at which it is among the 50 busiest. */
  readonly byService: ReadonlyMap<string, readonly NodeRates[]>;
}

/** A silent speaker's report is nobody's word any more. */
export function trafficOf({ speakers, leases, at }: Snapshot<"speakers" | "leases">): Traffic {
  const live = new Set(speakersOf(leases, at).live);
  const byNode = new Map<string, Rates>();
  const byService = new Map<string, NodeRates[]>();
  for (const { metadata, status } of speakers) {
    if (status?.traffic === undefined || !live.has(metadata.name)) continue;
    const { services, ...rates } = status.traffic;
    byNode.set(metadata.name, ratesOf(rates));
    for (const { service, ...own } of services) {
      const rows = byService.get(service) ?? [];
      rows.push({ node: metadata.name, ...ratesOf(own) });
      byService.set(service, rows);
    }
  }
  return { all: sumOf([...byNode.values()]), byNode, byService };
}

/** undefined of none. */
export const sumOf = (rates: readonly Rates[]): Rates | undefined =>
  rates.length === 0
    ? undefined
    : rates.reduce((sum, one) => ({
        connectionsPerMinute: sum.connectionsPerMinute + one.connectionsPerMinute,
        packetsPerSecond: sum.packetsPerSecond + one.packetsPerSecond,
        bytesPerSecond: sum.bytesPerSecond + one.bytesPerSecond,
      }));

const ratesOf = ({ connectionsPerMinute, packetsPerSecond, bytesPerSecond }: Rates): Rates => ({
  connectionsPerMinute,
  packetsPerSecond,
  bytesPerSecond,
});
