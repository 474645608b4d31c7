/**
 * How often work may be done that costs more the more there is: the first time at once, and then not again before it
 * has rested for several times as long as it took. A burst of changes becomes few passes, and whatever else the process
 * has to do (its Lease, Services that wait for an address) gets most of the time. Pure.
 */

export interface PaceLimits {
  /** Rest after each time, as a multiple of what it took. */
  readonly share: number;
  /** Rest at least, and at most, in milliseconds. */
  readonly minMs: number;
  readonly maxMs: number;
}

export class Pace {
  readonly #limits: PaceLimits;
  #freeAt = Number.NEGATIVE_INFINITY;

  constructor(limits: PaceLimits) {
    this.#limits = limits;
  }

  /** Milliseconds to wait at `now` (Clock.now()); 0: go on. */
  waitMs(now: number): number {
    return Math.max(0, this.#freeAt - now);
  }

  /** It was done, from one Clock.now() to another. */
  spent(from: number, to: number): void {
    const { share, minMs, maxMs } = this.#limits;
    this.#freeAt = to + Math.min(maxMs, Math.max(minMs, (to - from) * share));
  }
}
