/**
 * Texts that came before, by their nonces: what is recorded on the network and sent again is dropped. Bounded: two
 * generations, of which the older one is forgotten. What comes again after that is of old incarnations and of answers
 * that nobody waits for, and changes nothing (step.test.ts).
 */
const MOST = 16_384;
const GENERATION_MS = 60_000;

export class Replays {
  #young = new Set<string>();
  #old = new Set<string>();
  #since: number;

  constructor(now: number) {
    this.#since = now;
  }

  /** False if it was seen. */
  isNew(nonce: string, now: number): boolean {
    if (this.#young.has(nonce) || this.#old.has(nonce)) return false;
    if (this.#young.size >= MOST || now - this.#since >= GENERATION_MS) {
      this.#old = this.#young;
      this.#young = new Set();
      this.#since = now;
    }
    this.#young.add(nonce);
    return true;
  }
}
