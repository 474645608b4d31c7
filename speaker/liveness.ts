/**
 * Which speakers are alive, judged by the Leases that they renew. Pure: time is an argument.
 *
 * - Wall clocks of nodes differ, so a record's own times are not read: what counts is how long ago it last changed
 *   here.
 * - Silence proves a death only while we hear the API server ourselves: our own renewals must come back through our
 *   own watch. If they don't, we are cut off or the server is away; then nothing is judged, and whoever was alive
 *   stays so (frozen), for days if need be.
 * - After such a time everybody gets a whole lease again before silence counts.
 */

/** What a Lease says, reduced. */
export interface LeaseRecord {
  /** Changes with every renewal. */
  readonly stamp: string;
  /** False: said goodbye. */
  readonly isHeld: boolean;
  /** What the speaker publishes about itself, verbatim. */
  readonly state: string;
}

export interface Judgement {
  /** Speakers that are alive, sorted. Always has ourselves while our Lease is held. */
  readonly live: readonly string[];
  /** Speakers that fell silent without a goodbye, sorted. */
  readonly dead: readonly string[];
  /** Node -> what its speaker publishes, of all that have a Lease. */
  readonly states: ReadonlyMap<string, string>;
  readonly isFrozen: boolean;
  /** Equal for equal judgements. */
  readonly fingerprint: string;
}

export interface LivenessTimes {
  /** A record that did not change for so long is dead, milliseconds. */
  readonly leaseMs: number;
  /** Own renewals not confirmed for so long: frozen. Less than leaseMs by more than one renewal interval. */
  readonly confirmMs: number;
}

export const LIVENESS_TIMES: LivenessTimes = { leaseMs: 4_000, confirmMs: 2_500 };

interface Known {
  record: LeaseRecord;
  changedAt: number;
}

export class Liveness {
  readonly #own: string;
  readonly #times: LivenessTimes;
  readonly #known = new Map<string, Known>();
  #confirmedAt: number | undefined;
  #thawedAt = 0;
  #last: Judgement = { live: [], dead: [], states: new Map(), isFrozen: true, fingerprint: "" };

  constructor(own: string, times: LivenessTimes = LIVENESS_TIMES) {
    this.#own = own;
    this.#times = times;
  }

  /** A Lease as the watch tells it; undefined: it was deleted. */
  observe(node: string, record: LeaseRecord | undefined, now: number): void {
    if (record === undefined) {
      this.#known.delete(node);
      return;
    }
    const known = this.#known.get(node);
    if (known?.record.stamp === record.stamp) {
      known.record = record;
      return;
    }
    this.#known.set(node, { record, changedAt: now });
    if (node !== this.#own) return;
    if (this.#confirmedAt === undefined || now - this.#confirmedAt > this.#times.confirmMs)
      this.#thawedAt = now;
    this.#confirmedAt = now;
  }

  judge(now: number): Judgement {
    const isFrozen = this.#confirmedAt === undefined || now - this.#confirmedAt > this.#times.confirmMs;
    this.#last = isFrozen ? this.#frozen() : this.#fresh(now);
    return this.#last;
  }

  /**
   * Nobody's life is judged, but what speakers have published is as it is: one that has just started must forward to
   * the others' pods as it did before, and not as if they had no speakers.
   */
  #frozen(): Judgement {
    const { live, dead } = this.#last;
    const states = this.#states();
    return { live, dead, states, isFrozen: true, fingerprint: JSON.stringify([live, dead, [...states]]) };
  }

  #states(): Map<string, string> {
    const sorted = [...this.#known].sort(([a], [b]) => (a < b ? -1 : 1));
    return new Map(sorted.map(([node, { record }]) => [node, record.state]));
  }

  #fresh(now: number): Judgement {
    const live: string[] = [];
    const dead: string[] = [];
    const states = this.#states();
    for (const node of states.keys()) {
      const known = this.#known.get(node);
      if (known?.record.isHeld !== true) continue;
      const silentMs = now - Math.max(known.changedAt, this.#thawedAt);
      if (node === this.#own || silentMs <= this.#times.leaseMs) live.push(node);
      else dead.push(node);
    }
    const fingerprint = JSON.stringify([live, dead, [...states]]);
    return { live, dead, states, isFrozen: false, fingerprint };
  }
}
