/** Says whose hardware address it is. Pure. */
import type { Rules } from "./messages.ts";

export type StationKind = "own" | "member" | "foreign";

export class Stations {
  #own: ReadonlySet<string> = new Set();
  #members: ReadonlySet<string> | undefined = new Set();

  set({ own, members }: Pick<Rules, "own" | "members">): void {
    this.#own = new Set(own);
    this.#members = members === undefined ? undefined : new Set(members);
  }

  /** `station`: 12 hex digits. */
  kindOf(station: string): StationKind {
    if (this.#own.has(station)) return "own";
    return this.#members === undefined || this.#members.has(station) ? "member" : "foreign";
  }
}
