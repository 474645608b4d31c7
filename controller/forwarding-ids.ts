/**
 * Forwarding ids: a number for every port and family of a Service that has an address, the same on every node and
 * for as long as the port is there. Kept in the Service's annotation; nothing else remembers them. Pure, but for the
 * set of ids in use, which the caller owns.
 */

import type { Family } from "#api/address.ts";
import { MAX_FORWARDING_ID } from "#api/names.ts";
import { IndexSet } from "#controller/indexset.ts";

/** `IPv4/TCP/80` -> id. */
export type ForwardingIds = Readonly<Record<string, number>>;

const NO_IDS: ForwardingIds = {};

/** The keys that a Service with addresses of `families` needs, sorted. */
export function idKeys(families: Iterable<Family>, ports: readonly string[]): string[] {
  return [...families].flatMap((family) => ports.map((port) => `${family}/${port}`)).sort();
}

/** What an annotation says; entries that are no id are left out, and so is all of what is no JSON object. */
export function parseIds(text: string | undefined): ForwardingIds {
  if (text === undefined || text === "") return NO_IDS;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // Somebody else's hand: the ids are given anew, and the annotation is written over.
    return NO_IDS;
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return NO_IDS;
  return Object.fromEntries(Object.entries(value).filter(([, id]) => isId(id)));
}

/** JSON with sorted keys: equal ids are equal text. */
export function formatIds(ids: ForwardingIds): string {
  return JSON.stringify(Object.fromEntries(Object.entries(ids).sort(([a], [b]) => (a < b ? -1 : 1))));
}

function isId(id: unknown): id is number {
  return typeof id === "number" && Number.isInteger(id) && id >= 1 && id <= MAX_FORWARDING_ID;
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
    // 0 marks nothing.
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
   * (134 million ports) get none. Nothing is taken: see `take`.
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
