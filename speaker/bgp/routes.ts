/**
 * The routes of one session: what the peer is to have, what it was told of that, and what it tells us. Tables begin
 * and end with the session; what is wanted stays when it ends.
 */
import { type Family, familyOf } from "#api/address.ts";
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
  /** Families of the session that have no next hop towards the peer. */
  #withoutHop: readonly Family[] = [];
  /** How many prefixes of them the table has. */
  #missing: { readonly of: List; readonly count: number } | undefined;

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

  /** Prefixes that the peer is not told, since this node has no next hop of their family towards it. */
  get withoutNextHop(): number {
    if (this.#told === undefined || this.#withoutHop.length === 0) return 0;
    if (this.#missing?.of !== this.#wanted) {
      const missing = this.#wanted.filter(({ prefix }) => this.#withoutHop.includes(familyOf(prefix)));
      this.#missing = { of: this.#wanted, count: missing.length };
    }
    return this.#missing.count;
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
    const { localAsn, nextHops, chosenNextHops, link } = settings;
    const hops = nextHopsOf({
      local: localAddress,
      peer: peerAddress,
      link,
      addresses,
      node: nextHops,
      chosen: chosenNextHops,
      takesExtended: negotiated.extendedNextHop,
    });
    this.#withoutHop = negotiated.families.filter((family) => hops[family] === undefined);
    this.#missing = undefined;
    this.#received = new Received();
    this.#told = new AdjRibOut({ negotiated, localAsn, nextHops: hops });
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
