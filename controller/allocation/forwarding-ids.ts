/**
 * Which forwarding ids are in use, and which ones a Service gets. What an id is and where it is kept:
 * api/forwarding-ids.ts. Pure, but for the set, which the caller owns.
 */

import type { Family } from "#api/address.ts";
import { type ForwardingIds, idKey, MAX_FORWARDING_ID } from "#api/forwarding-ids.ts";
import { IndexSet } from "#controller/allocation/index-set.ts";

/** The keys that a Service with addresses of `families` needs, sorted. */
export function idKeys(families: Iterable<Family>, ports: readonly string[]): string[] {
  return [...families].flatMap((family) => ports.map((port) => idKey(family, port))).sort();
}

/** The ports that have an id in one family or the other, sorted. */
export function portsOfIds(ids: ForwardingIds): string[] {
  return [...new Set(Object.keys(ids).map((key) => key.slice(key.indexOf("/") + 1)))].sort();
}

/**
 * The ids in use. New ones are taken upwards from the highest that was given, so that a freed one comes back as late
 * as possible: a node that still programs the old owner's port never sees the number mean something else.
 */
export class IdSet {
  readonly #used: IndexSet;
  readonly #max: number;
  #next = 1;

  constructor(max: number = MAX_FORWARDING_ID) {
    this.#max = max;
    this.#used = new IndexSet(BigInt(max) + 1n);
    // 0 is the mark of a packet without a mark.
    this.#used.add(0n);
  }

  get count(): number {
    return this.#used.count - 1;
  }

  has(id: number): boolean {
    return this.#used.has(BigInt(id));
  }

  /**
   * Ids for `keys`: those of `present` that are free to keep, new ones for the others. Keys beyond the last free id
   * (262,143 ports) get none. Nothing is taken: see `take`.
   */
  choose(keys: readonly string[], present: ForwardingIds): ForwardingIds {
    const chosen: Record<string, number> = {};
    const mine = new Set<number>();
    for (const key of keys) {
      const id = present[key];
      if (id === undefined || this.has(id) || mine.has(id)) continue;
      chosen[key] = id;
      mine.add(id);
    }
    let from = this.#next;
    for (const key of keys) {
      if (chosen[key] !== undefined) continue;
      const id = this.#free(from, mine);
      if (id === undefined) continue;
      chosen[key] = id;
      mine.add(id);
      from = id + 1;
    }
    return chosen;
  }

  take(ids: ForwardingIds): void {
    for (const id of Object.values(ids)) {
      this.#used.add(BigInt(id));
      if (id >= this.#next) this.#next = id < this.#max ? id + 1 : 1;
    }
  }

  release(ids: ForwardingIds): void {
    for (const id of Object.values(ids)) this.#used.delete(BigInt(id));
  }

  #free(from: number, mine: ReadonlySet<number>): number | undefined {
    for (const start of [from, 1]) {
      let at = start;
      while (at <= this.#max) {
        const found = this.#used.firstFree(BigInt(at));
        if (found === undefined) break;
        if (!mine.has(Number(found))) return Number(found);
        at = Number(found) + 1;
      }
    }
    return undefined;
  }
}
