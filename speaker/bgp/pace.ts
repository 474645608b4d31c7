/**
 * How much of the processor one peer's messages may take. What a peer advertises is used for nothing, so a full table is
 * read slowly: TCP makes the peer wait, and other sessions, ARP and the kernel's work do not. Pure; milliseconds.
 */

/** A peer that says as much as peers do is read at once. */
const BURST_MS = 200;
/** After that it gets this share of one processor. */
const SHARE = 0.1;

export class Pace {
  #credit = BURST_MS;
  #at: number;

  constructor(now: number) {
    this.#at = now;
  }

  /** Work has gone on from `since` until `now`. Returns how long to rest before more is read; 0: not at all. */
  spend(since: number, now: number): number {
    this.#credit = Math.min(BURST_MS, this.#credit + (now - this.#at) * SHARE) - (now - since);
    this.#at = now;
    return this.#credit > 0 ? 0 : Math.ceil(-this.#credit / SHARE) + 1;
  }
}
