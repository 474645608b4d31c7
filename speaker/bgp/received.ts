/**
 * What a peer advertises: counted and shown, and used for nothing. However much it is, it costs no session and no more
 * memory than the first thousands of prefixes: of those beyond, it is known only that they are there.
 */
import { type Family, familyOf } from "#api/address.ts";
import type { Negotiated } from "./negotiated.ts";
import type { PeerSettings } from "./types.ts";
import { BgpError, Cease, ErrorCode } from "./wire/error.ts";
import { decodeUpdate, type Nlri, type Update } from "./wire/update.ts";

/** So many prefixes of a session are known one by one, unless a limit of the configuration asks for more. */
export const KNOWN_PREFIXES = 10_000;

export class Received {
  readonly #prefixes = new Set<string>();
  /** Of a family that the peer tells anew: what it has not told again yet (RFC 7313). */
  readonly #stale = new Map<Family, Set<string>>();

  #hasMore = false;

  /** Prefixes that are known one by one. */
  get size(): number {
    return this.#prefixes.size;
  }

  /** The peer has advertised more of them than are known, since the session or the last refresh began. */
  get hasMore(): boolean {
    return this.#hasMore;
  }

  /** The peer begins to tell the family anew. */
  beginRefresh(family: Family): void {
    this.#hasMore = false;
    this.#stale.set(family, new Set([...this.#prefixes].filter((prefix) => familyOf(prefix) === family)));
  }

  /** What it has not told again is gone. An end without a beginning says nothing. */
  endRefresh(family: Family): void {
    for (const prefix of this.#stale.get(family) ?? []) this.#prefixes.delete(prefix);
    this.#stale.delete(family);
  }

  /**
   * Why its routes were taken as withdrawn, if they were. BgpError where the session has to end: the UPDATE is broken,
   * or the configuration has a limit (RFC 4486 section 4).
   */
  take(
    body: Buffer,
    negotiated: Negotiated,
    { localAsn, maximumPrefixes }: Pick<PeerSettings, "localAsn" | "maximumPrefixes">,
  ): string | undefined {
    const update = decodeUpdate(body, negotiated);
    // RFC 4760 section 7: what nobody asked for is passed over.
    const isAsked = ({ family }: Nlri): boolean => negotiated.families.includes(family);
    const asked = { ...update, announced: update.announced.filter(isAsked) };
    const size = this.apply(asked, localAsn, Math.max(KNOWN_PREFIXES, (maximumPrefixes ?? 0) + 1));
    if (maximumPrefixes === undefined || size <= maximumPrefixes) return update.treatedAsWithdrawn;
    throw new BgpError(ErrorCode.cease, Cease.maximumPrefixes, `more than ${maximumPrefixes} prefixes`);
  }

  /**
   * The number of known prefixes after it, at most `room`. Routes that have been here count for nothing (RFC 4271 section 9.1.2): FRR tells
   * a peer its own routes again.
   */
  apply(
    update: Pick<Update, "withdrawn" | "announced" | "attributes">,
    localAsn: number,
    room = KNOWN_PREFIXES,
  ): number {
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
        stale?.delete(prefix);
        if (this.#prefixes.size < room) this.#prefixes.add(prefix);
        else if (!this.#prefixes.has(prefix)) this.#hasMore = true;
      }
    }
    return this.#prefixes.size;
  }
}
