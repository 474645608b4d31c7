/** Elements of the set `marks`: one for each virtual server that is wanted. None is kept, since the servers say them all. */
import { markOfValue, markValue } from "#speaker/forwarding/elements.ts";
import { markOfKey } from "#speaker/forwarding/server-key.ts";
import type { Element } from "#speaker/forwarding/types.ts";
import type { WantedServers } from "#speaker/forwarding/wanted-servers.ts";
import type { WantedSet } from "#speaker/forwarding/wanted-set.ts";

/** What is read of a `WantedSet`. */
export type ReadSet = Omit<WantedSet, "set" | "delete">;

export class WantedMarks implements ReadSet {
  readonly #servers: Pick<WantedServers, "size" | "hasMark" | "keys">;

  constructor(servers: Pick<WantedServers, "size" | "hasMark" | "keys">) {
    this.#servers = servers;
  }

  /** A mark is of one port, and a port of one family. */
  get size(): number {
    return this.#servers.size;
  }

  has(key: string): boolean {
    return this.#servers.hasMark(markOfValue(key));
  }

  valueOf(key: string): string | undefined {
    return this.has(key) ? "" : undefined;
  }

  get(key: string): Element | undefined {
    return this.has(key) ? { key } : undefined;
  }

  *keys(): Generator<string, undefined> {
    for (const key of this.#servers.keys()) yield markValue(markOfKey(key));
  }

  *entries(): Generator<[key: string, value: string], undefined> {
    for (const key of this.keys()) yield [key, ""];
  }

  list(): Element[] {
    return Array.from(this.keys(), (key) => ({ key }));
  }
}
