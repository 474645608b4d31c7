/**
 * Limits how often work is done whose cost grows with the cluster. The first time it is done at once; then it rests for
 * several times as long as it took. So a burst of changes becomes a few passes, and the rest of the process (its Lease,
 * Services that wait for an address) keeps most of the time. Pure.
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

  /** Call it after the work, with Clock.now() before and after it. */
  spent(from: number, to: number): void {
    const { share, minMs, maxMs } = this.#limits;
    this.#freeAt = to + Math.min(maxMs, Math.max(minMs, (to - from) * share));
  }
}
