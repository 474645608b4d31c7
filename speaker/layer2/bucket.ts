/** A token bucket: how much may be sent now, and when more may be. Pure: time is given. */
export class Bucket {
  readonly #perMs: number;
  readonly #most: number;
  #tokens: number;
  #at: number;

  /** Full at the start. `now`: milliseconds of a clock that never goes back. */
  constructor(options: { readonly perSecond: number; readonly burst: number }, now: number) {
    this.#perMs = options.perSecond / 1_000;
    this.#most = options.burst;
    this.#tokens = options.burst;
    this.#at = now;
  }

  has(count: number, now: number): boolean {
    this.#fill(now);
    return this.#tokens >= count;
  }

  take(count: number): void {
    this.#tokens -= count;
  }

  /** When `count` may be sent. */
  readyAt(count: number, now: number): number {
    this.#fill(now);
    return now + Math.max(0, count - this.#tokens) / this.#perMs;
  }

  #fill(now: number): void {
    this.#tokens = Math.min(this.#most, this.#tokens + Math.max(0, now - this.#at) * this.#perMs);
    this.#at = Math.max(this.#at, now);
  }
}
