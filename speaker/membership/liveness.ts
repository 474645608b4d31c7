/**
 * Which speakers are alive, judged by the Leases that they renew. Pure: time is an argument.
 *
 * - The wall clocks of nodes differ, so the times in a record are not read. What counts is how long ago the record last
 *   changed, as seen here.
 * - Silence proves a death only while we hear the API server ourselves: our own renewals must come back through our own
 *   watch. If they do not, we are cut off or the server is away. Then nobody is judged, and each speaker that was alive
 *   stays alive (frozen), for days if need be.
 * - Frozen time does not count as anybody's silence, and nobody is called dead soon after it, because all speakers have
 *   to find the server again. The count of silence then goes on and does not begin again. Otherwise a node that is cut
 *   off for a moment every few seconds would never see a death.
 * - If somebody else makes a Lease unusable, its speaker did not say that. What the speaker said last counts for as
 *   long as a Lease holds, and in that time the speaker renews it. So a stray write moves nothing. A node whose Lease
 *   stays unusable is neither live nor dead.
 */
import { isSilent, paceOf, SPEAKER_LEASE_MS } from "./silence.ts";

/** What is read of a Lease. */
export interface LeaseRecord {
  /** Changes with every renewal. */
  readonly stamp: string;
  /** False if the speaker has said goodbye. */
  readonly isHeld: boolean;
  /** What the speaker publishes about itself. */
  readonly state: string;
  /** Why the Lease cannot be used. If it is set, only `stamp` is true besides. */
  readonly fault?: string;
}

/** The last two times at which a node's Lease was seen to be renewed. */
export interface Renewals {
  readonly last: number;
  readonly before: number | undefined;
}

export interface Judgement {
  /** Speakers that are alive, sorted. We are among them while our Lease is held. */
  readonly live: readonly string[];
  /** Speakers that fell silent without a goodbye, sorted. */
  readonly dead: readonly string[];
  /** Node -> what its speaker publishes. Every node with a Lease is in it. */
  readonly states: ReadonlyMap<string, string>;
  /** Node -> why its Lease cannot be used. Only nodes whose Lease stayed unusable are in it. */
  readonly faults: ReadonlyMap<string, string>;
  readonly isFrozen: boolean;
  /** Equal for equal judgements. */
  readonly fingerprint: string;
}

/** In a cluster of up to a hundred speakers; in a larger one all of it is longer (paceOf). */
export interface LivenessTimes {
  /** A speaker whose record did not change for so many milliseconds is dead. */
  readonly leaseMs: number;
  /**
   * If our own renewals are not confirmed for so long, nobody is judged (frozen). It is less than leaseMs by more than
   * one renewal interval.
   */
  readonly confirmMs: number;
  /** For so long after a frozen time nobody is called dead: time for a renewal that fails and the next one. */
  readonly graceMs: number;
}

export const LIVENESS_TIMES: LivenessTimes = { leaseMs: SPEAKER_LEASE_MS, confirmMs: 2_500, graceMs: 2_000 };

export interface Known {
  record: LeaseRecord;
  /** When it was first seen, since when it is known without a break. */
  readonly since: number;
  /** When it was really seen to change: the last time, and the time before. */
  readonly renewals: Renewals;
  /** Every frozen time since then moves it on. */
  changedAt: number;
  /** Until its next renewal, whatever is frozen meanwhile. */
  isDead: boolean;
  /** Since when, and why, the Lease cannot be used. */
  fault: { readonly since: number; readonly why: string } | undefined;
}

const NOBODY: Judgement = {
  live: [],
  dead: [],
  states: new Map(),
  faults: new Map(),
  isFrozen: true,
  fingerprint: "",
};

/** All that is remembered, in plain values. */
export interface LivenessState {
  readonly known: Map<string, Known>;
  confirmedAt: number | undefined;
  thawedAt: number;
  last: Judgement;
}

export class Liveness {
  readonly #own: string;
  readonly #baseTimes: LivenessTimes;
  /** One that is made of a copy of it goes on from there. */
  readonly state: LivenessState;

  constructor(own: string, times: LivenessTimes = LIVENESS_TIMES, state?: LivenessState) {
    this.#own = own;
    this.#baseTimes = times;
    this.state = state ?? { known: new Map(), confirmedAt: undefined, thawedAt: 0, last: NOBODY };
  }

  /** How much slower than in a small cluster Leases are renewed. */
  get pace(): number {
    return paceOf(this.state.known.size);
  }

  get #times(): LivenessTimes {
    const { pace } = this;
    if (pace === 1) return this.#baseTimes;
    const { leaseMs, confirmMs, graceMs } = this.#baseTimes;
    return { leaseMs: leaseMs * pace, confirmMs: confirmMs * pace, graceMs: graceMs * pace };
  }

  /** Takes a Lease as the watch gives it. Undefined means that it was deleted. */
  observe(node: string, record: LeaseRecord | undefined, now: number): void {
    if (record === undefined) {
      this.state.known.delete(node);
      return;
    }
    const known = this.state.known.get(node);
    const said = withoutFault(record, known?.record);
    const fault =
      record.fault === undefined ? undefined : { since: known?.fault?.since ?? now, why: record.fault };
    if (known?.record.stamp === record.stamp) {
      known.record = said;
      known.fault = fault;
      return;
    }
    const renewals = { last: now, before: known?.renewals.last };
    const since = known?.since ?? now;
    this.state.known.set(node, { record: said, since, renewals, changedAt: now, isDead: false, fault });
    if (node !== this.#own) return;
    if (this.#isFrozen(now)) this.#thaw(now);
    this.state.confirmedAt = now;
  }

  renewals(node: string): Renewals | undefined {
    return this.state.known.get(node)?.renewals;
  }

  /** Since when the node has a Lease. */
  knownSince(node: string): number | undefined {
    return this.state.known.get(node)?.since;
  }

  judge(now: number): Judgement {
    this.state.last = this.#isFrozen(now) ? this.#frozen(now) : this.#fresh(now);
    return this.state.last;
  }

  /** The Lease stayed unusable for longer than its speaker needs to write it again. */
  #isFaulty({ fault }: Known, now: number): boolean {
    return fault !== undefined && now - fault.since > this.#times.leaseMs;
  }

  #isFrozen(now: number): boolean {
    return this.state.confirmedAt === undefined || now - this.state.confirmedAt > this.#times.confirmMs;
  }

  #thaw(now: number): void {
    const frozenMs =
      this.state.confirmedAt === undefined ? Number.POSITIVE_INFINITY : now - this.state.confirmedAt;
    for (const known of this.state.known.values())
      known.changedAt = Math.min(now, known.changedAt + frozenMs);
    this.state.thawedAt = now;
  }

  /**
   * Nobody is judged, but what speakers have published still counts. A speaker that has just started must forward to
   * the other nodes' pods as before, and not as if those nodes had no speakers.
   */
  #frozen(now: number): Judgement {
    const { live, dead } = this.state.last;
    return judgement({ live, dead, ...this.#said(now), isFrozen: true });
  }

  #said(now: number): Pick<Judgement, "states" | "faults"> {
    const states = new Map<string, string>();
    const faults = new Map<string, string>();
    for (const [node, known] of [...this.state.known].sort(([a], [b]) => (a < b ? -1 : 1))) {
      const isFaulty = this.#isFaulty(known, now);
      states.set(node, isFaulty ? "" : known.record.state);
      if (isFaulty && known.fault !== undefined) faults.set(node, known.fault.why);
    }
    return { states, faults };
  }

  #fresh(now: number): Judgement {
    const live: string[] = [];
    const dead: string[] = [];
    const said = this.#said(now);
    const { leaseMs, graceMs } = this.#times;
    const isGrace = now - this.state.thawedAt <= graceMs;
    for (const node of said.states.keys()) {
      const known = this.state.known.get(node);
      if (known?.record.isHeld !== true) continue;
      known.isDead ||= node !== this.#own && !isGrace && isSilent(known.changedAt, now, leaseMs);
      if (known.isDead) dead.push(node);
      else if (!said.faults.has(node)) live.push(node);
    }
    return judgement({ live, dead, ...said, isFrozen: false });
  }
}

/** The record. If it cannot be used: what the speaker said before, with the stamp of this record. */
function withoutFault(record: LeaseRecord, before: LeaseRecord | undefined): LeaseRecord {
  if (record.fault === undefined) return record;
  const { stamp } = record;
  return { stamp, isHeld: before?.isHeld ?? true, state: before?.state ?? "" };
}

/** With its fingerprint. */
export function judgement(parts: Omit<Judgement, "fingerprint">): Judgement {
  const { live, dead, states, faults } = parts;
  return { ...parts, fingerprint: JSON.stringify([live, dead, [...states], [...faults]]) };
}
