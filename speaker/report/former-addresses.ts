/**
 * The addresses that this node answered for before: a record of its own tenures, in its own report. With those of all
 * nodes it is the history of an address (cli/history/). It changes only where the list of addresses does, so it costs no
 * write. Pure.
 */
import type { Status } from "./status.ts";

type Address = NonNullable<Status["addresses"]>[number];
export type FormerAddress = NonNullable<Status["formerAddresses"]>[number];

/** The schema's limit: a node that gives away hundreds at once keeps the last of them. */
const MOST = 200;
/** A speaker that starts again has its addresses back within this time, or another node has them. */
const RESTART_MS = 10_000;

export class FormerAddresses {
  #former: readonly FormerAddress[] = [];
  #present: ReadonlyMap<string, Address> = new Map();
  /** Of an earlier process: not looked at again yet. */
  #inherited: ReadonlyMap<string, Address> = new Map();
  #inheritedAt = 0;

  /** What an earlier process of this node has reported. */
  inherit(status: Status | undefined, now: Date): void {
    // The server may hold what an older or a newer version wrote.
    const { addresses, formerAddresses } = status ?? {};
    this.#former = Array.isArray(formerAddresses) ? formerAddresses.slice(-MOST) : [];
    this.#inherited = byAddress(Array.isArray(addresses) ? addresses : []);
    this.#present = new Map();
    this.#inheritedAt = now.getTime();
  }

  /** `addresses`: those that this node answers for now. The record with those that it has given up since the last call. */
  next(addresses: readonly Address[], now: Date): readonly FormerAddress[] {
    const present = byAddress(addresses);
    const gone = [...this.#present.values()].filter(({ address }) => !present.has(address));
    this.#present = present;
    if (this.#inherited.size > 0) {
      const isOver = now.getTime() - this.#inheritedAt >= RESTART_MS;
      const away = [...this.#inherited.values()].filter(({ address }) => !present.has(address));
      // What is back was given up by nobody.
      this.#inherited = isOver ? new Map() : byAddress(away);
      if (isOver) gone.unshift(...away);
    }
    if (gone.length > 0) {
      const until = `${now.toISOString().slice(0, 19)}Z`;
      this.#former = [...this.#former, ...gone.map((address) => formerOf(address, until))].slice(-MOST);
    }
    return this.#former;
  }
}

const byAddress = (addresses: readonly Address[]): ReadonlyMap<string, Address> =>
  new Map(addresses.map((address) => [address.address, address]));

function formerOf({ address, service, since, reason }: Address, until: string): FormerAddress {
  return {
    address,
    ...(service !== undefined && { service }),
    ...(since !== undefined && { since }),
    until,
    ...(reason !== undefined && { reason }),
  };
}
