/** What a pass has changed: all of it counted, and some of it by name. A first pass may change hundreds of thousands of things. */
import type { Change } from "#speaker/forwarding/types.ts";

/** Named ones. */
const NAMED = 1_000;

export class Changes {
  readonly named: Change[] = [];
  /** By kind; what was to be put back and is left does not count. */
  readonly counts = new Map<string, number>();
  #total = 0;

  /** All, those that are left too. */
  get total(): number {
    return this.#total;
  }

  add(change: Change): void {
    this.#total += 1;
    if (change.action !== "keep") this.counts.set(change.kind, (this.counts.get(change.kind) ?? 0) + 1);
    if (this.named.length < NAMED) this.named.push(change);
  }
}
