/** What the BGP side is asked for, and what it says of itself. Types only. */
import type { Family } from "#api/address.ts";
import type { LargeCommunity } from "#api/community.ts";
import type { Role } from "#api/role.ts";
import type { TcpAo } from "#api/tcp-ao.ts";
import type { Password } from "../known/password.ts";

/** How far away the peer may be. */
export type Ttl =
  /** On our own link: packets leave with 1 hop to live. */
  | { readonly kind: "direct" }
  | { readonly kind: "multihop"; readonly hops?: number }
  /** Sent with 255, dropped by the kernel if they came over more than `hops` (RFC 5082). */
  | { readonly kind: "gtsm"; readonly hops: number };

export type ChosenNextHops = Readonly<Partial<Record<Family, string | null>>>;

export interface PeerSettings {
  /** Of the BGPPeer. */
  readonly name: string;
  readonly address?: string;
  /** Link of an unnumbered session, or of a link-local address. */
  readonly link?: string;
  /** The peer is this node's default gateway of that family; its address is known when the kernel has one. */
  readonly gateway?: Family;
  /** `address/length`: routers with an address of it connect to this node, and are never called. */
  readonly range?: string;
  /** Of a range: how many routers may have a session at once. */
  readonly maximumSessions?: number;
  /** Name of the VRF device that all connections go through. */
  readonly vrf?: string;
  readonly port: number;
  readonly localAsn: number;
  readonly peerAsn: number | "internal" | "external";
  /** Dotted quad. */
  readonly routerId: string;
  readonly holdTimeMs: number;
  /** A third of the hold time when not given. */
  readonly keepaliveTimeMs?: number;
  readonly connectTimeMs: number;
  readonly password?: Password;
  /** Signed by TCP-AO with the password as its master key, and not by MD5. */
  readonly tcpAo?: TcpAo;
  readonly ttl: Ttl;
  readonly sourceAddress?: string;
  readonly gracefulRestart: boolean;
  /** How long the peer is asked to keep our routes while the speaker is replaced; 30 s when not given. */
  readonly restartTimeMs?: number;
  readonly families: readonly Family[];
  /** What we are to the peer (RFC 9234); to eBGP peers only. */
  readonly role?: Role;
  /** More prefixes than these end the session; undefined: no number of them does. */
  readonly maximumPrefixes?: number;
  /** This node's addresses: next hops of the family that is not the connection's own. */
  readonly nextHops: Readonly<Partial<Record<Family, string>>>;
  /** Of families whose next hop the BGPPeer says: the address; null where this node has none of the kind. */
  readonly chosenNextHops?: ChosenNextHops;
}

/** One prefix as it is to be told, aggregated already; the next hop is this node. */
export interface Advertisement {
  readonly prefix: string;
  /** To iBGP peers only (RFC 4271 section 5.1.5). */
  readonly localPref?: number;
  /** How often more our AS number stands in AS_PATH; to eBGP peers only. */
  readonly prepend?: number;
  /** MULTI_EXIT_DISC (RFC 4271 section 5.1.4); none where it is not given. */
  readonly med?: number;
  /** Pods behind this route on this node: by how much more routers are to use it than the same route of others. */
  readonly pods?: number;
  /** 32-bit values. */
  readonly communities: readonly number[];
  readonly largeCommunities: readonly LargeCommunity[];
}

/** A session that this node is to hold, and the whole table that the peer is to have. */
export interface WantedSession {
  readonly settings: PeerSettings;
  readonly advertisements: readonly Advertisement[];
}

/** RFC 4271 section 8.2.2. */
export type SessionState = "Idle" | "Connect" | "Active" | "OpenSent" | "OpenConfirm" | "Established";

export interface SessionReport {
  readonly peer: string;
  readonly address: string;
  /** Of a default gateway with a link-local address. */
  readonly link?: string;
  readonly state: SessionState;
  /** RFC 3339. */
  readonly establishedAt?: string;
  readonly remoteAsn?: number;
  /** As negotiated. */
  readonly holdTimeMs?: number;
  readonly prefixesAdvertised: number;
  /** Those that are known one by one, which are not all where `warning` says so. */
  readonly prefixesReceived: number;
  /** Those whose attributes are longer than a message to this peer may be: it is not told them. */
  readonly prefixesKeptBack: number;
  /** Those of families for which this node has no next hop towards the peer. */
  readonly prefixesWithoutNextHop: number;
  readonly messagesIn: number;
  readonly messagesOut: number;
  readonly updatesOut: number;
  /** How often an established session was lost. */
  readonly losses: number;
  readonly lastError?: string;
  /** RFC 3339. */
  readonly lastErrorAt?: string;
  /** What works and should not be as it is, in words. */
  readonly warning?: string;
}
