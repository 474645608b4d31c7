/** What a peer has told: counted, so that it can be bounded and shown, and used for nothing. */
import type { Negotiated } from "./negotiated.ts";
import type { PeerSettings } from "./types.ts";
import { BgpError, Cease, ErrorCode } from "./wire/error.ts";
import { decodeUpdate, type Update } from "./wire/update.ts";

export class Received {
  readonly #prefixes = new Set<string>();

  get size(): number {
    return this.#prefixes.size;
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
    for (const { prefixes } of announced) for (const prefix of prefixes) this.#prefixes.add(prefix);
    return this.#prefixes.size;
  }
}
