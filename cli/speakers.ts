/**
 * Which speakers live, by their Leases as they are now. Speakers themselves watch renewals by their own clocks
 * (speaker/membership/liveness.ts); who looks only once has to believe the times that nodes write, within a margin. Pure.
 */
import type { Lease } from "#common/kube/resource.ts";
import { projectLease } from "#speaker/membership/lease-record.ts";
import { paceOf, SPEAKER_LEASE_MS } from "#speaker/membership/silence.ts";

/** How far clocks of nodes and of the API server may be apart. A dead speaker is seen so much later here. */
export const CLOCK_MARGIN_MS = 10_000;

export interface Speakers {
  /** Sorted, as all lists of names. */
  readonly live: readonly string[];
  /** Fell silent without a goodbye. */
  readonly dead: readonly string[];
  /** Node -> for how long its speaker has been silent, milliseconds. */
  readonly silentFor: ReadonlyMap<string, number>;
  /** Node -> what its speaker publishes. */
  readonly states: ReadonlyMap<string, string>;
  /** Node -> why its Lease cannot be used. */
  readonly faults: ReadonlyMap<string, string>;
}

export function speakersOf(leases: readonly Lease[], at: Date): Speakers {
  const silentFor = new Map<string, number>();
  const states = new Map<string, string>();
  const faults = new Map<string, string>();
  const live: string[] = [];
  const found = leases.flatMap((lease) => {
    const named = projectLease(lease);
    return named === undefined ? [] : [{ ...named, lease }];
  });
  const holdsMs = SPEAKER_LEASE_MS * paceOf(found.length) + CLOCK_MARGIN_MS;
  for (const { node, record, lease } of found) {
    states.set(node, record.state);
    if (record.fault !== undefined) faults.set(node, record.fault);
    if (!record.isHeld || record.fault !== undefined) continue;
    const silence = at.getTime() - Date.parse(String(lease.spec?.renewTime));
    if (silence > holdsMs) silentFor.set(node, silence);
    else live.push(node);
  }
  return { live: live.sort(), dead: [...silentFor.keys()].sort(), silentFor, states, faults };
}
