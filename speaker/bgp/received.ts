/** What a peer has told: counted, so that it can be bounded and shown, and used for nothing. */
import type { Family } from "#api/address.ts";
import { familyOf } from "./address.ts";
import type { Negotiated } from "./negotiated.ts";
import type { PeerSettings } from "./types.ts";
import { BgpError, Cease, ErrorCode } from "./wire/error.ts";
import { decodeUpdate, type Update } from "./wire/update.ts";

export class Received {
  readonly #prefixes = new Set<string>();
  /** Of a family that the peer tells anew: what it has not told again yet (RFC 7313). */
  readonly #stale = new Map<Family, Set<string>>();

  get size(): number {
    return this.#prefixes.size;
  }

  /** The peer begins to tell the family anew. */
  beginRefresh(family: Family): void {
    this.#stale.set(family, new Set([...this.#prefixes].filter((prefix) => familyOf(prefix) === family)));
  }

  /** What it has not told again is gone. An end without a beginning says nothing. */
  endRefresh(family: Family): void {
    for (const prefix of this.#stale.get(family) ?? []) this.#prefixes.delete(prefix);
    this.#stale.delete(family);
  }

  /** Why its routes were taken as withdrawn, if they were. BgpError where the session has to end. */
  take(
    body: Buffer,
    negotiated: Negotiated,
    { localAsn, maximumPrefixes }: Pick<PeerSettings, "localAsn" | "maximumPrefixes">,
  ): string | undefined {
    const update = decodeUpdate(body, negotiated);
    if (this.apply(update, localAsn) <= maximumPrefixes) return update.treatedAsWithdrawn;
    throw new BgpError(ErrorCode.cease, Cease.maximumPrefixes, `more than ${maximumPrefixes} prefixes`);
  }

  /**
   * The number of prefixes after it. Routes that have been here count for nothing (RFC 4271 section 9.1.2): FRR tells
   * a peer its own routes again.
   */
  apply(update: Pick<Update, "withdrawn" | "announced" | "attributes">, localAsn: number): number {
    const { withdrawn, announced, attributes } = update;
    const path = [...(attributes.asPath ?? []), ...(attributes.as4Path ?? [])];
    const isLoop = path.some(({ asns }) => asns.includes(localAsn));
    for (const { prefixes } of isLoop ? [...withdrawn, ...announced] : withdrawn) {
      for (const prefix of prefixes) this.#prefixes.delete(prefix);
    }
    if (isLoop) return this.#prefixes.size;
    for (const { family, prefixes } of announced) {
      const stale = this.#stale.get(family);
      for (const prefix of prefixes) {
        this.#prefixes.add(prefix);
        stale?.delete(prefix);
      }
    }
    return this.#prefixes.size;
  }
}
