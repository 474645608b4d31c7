/**
 * The routes of one session: what the peer is to have, what it was told of that, and what it tells us. Tables begin
 * and end with the session; what is wanted stays when it ends.
 */
import { type List, NOTHING } from "./list-difference.ts";
import type { Negotiated } from "./negotiated.ts";
import { type LinkAddress, nextHopsOf } from "./next-hop.ts";
import { Received } from "./received.ts";
import { AdjRibOut } from "./rib.ts";
import type { PeerSettings } from "./types.ts";
import { decodeRefresh, RefreshKind } from "./wire/refresh.ts";

export interface RoutesBeginning {
  readonly negotiated: Negotiated;
  readonly settings: PeerSettings;
  /** This node's own end of the connection, and the peer's. */
  readonly localAddress: string;
  readonly peerAddress: string;
  /** All addresses of this node. */
  readonly addresses: readonly LinkAddress[];
}

export class Routes {
  #wanted: List = NOTHING;
  #told: AdjRibOut | undefined;
  #received = new Received();

  /** The table that the peer was last to have; a part of it while the rest waits for its turn. */
  get wanted(): List {
    return this.#wanted;
  }

  /** Prefixes that the peer has from us. */
  get advertised(): number {
    return this.#told?.size ?? 0;
  }

  /** Prefixes that the peer has told, as far as they are known one by one. */
  get received(): number {
    return this.#received.size;
  }

  /** Prefixes that the peer is not told, since their attributes leave no room for them in a message. */
  get keptBack(): number {
    return this.#told?.keptBack ?? 0;
  }

  /** What the people who run the router should change, though it harms nothing here. */
  get warning(): string | undefined {
    if (!this.#received.hasMore) return undefined;
    return `the router advertises more than ${this.#received.size} prefixes, and this node uses none: filter them there`;
  }

  advertise(advertisements: List, isWhole = true): void {
    this.#wanted = advertisements;
    this.#told?.advertise(advertisements, isWhole);
  }

  /** The session is established: nothing is told, and nothing wanted, until the next `advertise`. */
  begin({ negotiated, settings, localAddress, peerAddress, addresses }: RoutesBeginning): void {
    const { localAsn, nextHops, link } = settings;
    this.#received = new Received();
    this.#told = new AdjRibOut({
      negotiated,
      localAsn,
      nextHops: nextHopsOf({
        local: localAddress,
        peer: peerAddress,
        link,
        addresses,
        node: nextHops,
        takesExtended: negotiated.extendedNextHop,
      }),
    });
    this.#wanted = NOTHING;
  }

  /** The session is lost, and with it what either side was told. */
  end(): void {
    this.#told = undefined;
    this.#received = new Received();
  }

  /** The next UPDATE for the peer; undefined when it has been told everything, or there is no session. */
  next(): Buffer | undefined {
    return this.#told?.next();
  }

  /** Of an UPDATE's body: why it was taken as a withdrawal, if it was. Throws BgpError. */
  take(body: Buffer, negotiated: Negotiated, settings: PeerSettings): string | undefined {
    return this.#received.take(body, negotiated, settings);
  }

  /** Of a ROUTE-REFRESH's body: what is asked for comes with `next`. Throws BgpError. */
  refresh(body: Buffer): void {
    const { family, kind } = decodeRefresh(body);
    if (family === undefined) return;
    if (kind === RefreshKind.request) this.#told?.refresh(family);
    if (kind === RefreshKind.begin) this.#received.beginRefresh(family);
    if (kind === RefreshKind.end) this.#received.endRefresh(family);
  }
}
