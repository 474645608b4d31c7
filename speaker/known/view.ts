/** The input of one pass: everything that a plan depends on, as plain immutable values. */
import type { Family } from "#api/address.ts";
import type { LargeCommunity } from "#api/community.ts";
import type { ForwardingIds } from "#api/forwarding-ids.ts";
import type { LogLevel } from "#api/log-level.ts";
import type { Role } from "#api/role.ts";
import type { TcpAo } from "#api/tcp-ao.ts";
import type { LabelSelector, Labels } from "#common/kube/selector.ts";
import type { Encapsulation, Tunnel } from "../forwarding/encapsulation.ts";
import type { Protocol } from "../forwarding/types.ts";
import type { Departure } from "./departure.ts";
import type { Password } from "./password.ts";
import type { Pools } from "./pools.ts";
import type { TakersView } from "./takers.ts";

export interface ServicePort {
  /** "" for the only, nameless one. */
  readonly name: string;
  readonly protocol: Protocol;
  readonly port: number;
}

/** A Service of ours that has addresses. */
export interface ServiceView {
  /** `namespace/name`. */
  readonly key: string;
  readonly uid: string;
  /** Canonical texts, sorted. */
  readonly vips: readonly string[];
  /** The status tells kube-proxy to leave an address of it to us (ipMode Proxy); left out where it does not. */
  readonly isKept?: true;
  /** RFC 3339, whole seconds: sorts as text. */
  readonly createdAt: string;
  readonly loadBalancerClass?: string;
  readonly labels: Labels;
  readonly ids: ForwardingIds;
  readonly ports: readonly ServicePort[];
  /** externalTrafficPolicy Local. */
  readonly isLocal: boolean;
  /** sessionAffinity ClientIP. */
  readonly hasAffinity: boolean;
  /** A family without a range admits everybody. */
  readonly sourceRanges: Readonly<Record<Family, readonly string[]>>;
  /** How its endpoints are checked beyond their readiness. */
  readonly check?: HealthCheck;
  /** Its own, instead of the LoadBalancer's. */
  readonly scheduler?: string;
  readonly thresholds?: Thresholds;
  readonly weights?: Weights;
  /** For so long a terminating endpoint keeps its connections; left out: as long as it is there. */
  readonly drainTimeoutMs?: number;
  /** Why annotations of it are left out; left out when there are none. */
  readonly faults?: readonly string[];
}

/** Connections of one endpoint by one node. */
export interface Thresholds {
  /** With so many it gets no new ones. */
  readonly upper: number;
  /** Below so many it gets some again; 0: below three quarters of the upper one. */
  readonly lower: number;
}

/** Weights of endpoints, by address in canonical spelling, or by name of their node; all others have 1. */
export type Weights = ReadonlyMap<string, number>;

/** A check of endpoints, as annotations of a Service ask for it (health-check.ts). Times in milliseconds. */
export interface HealthCheck {
  /** udp: the host says that nobody has the port (ICMP). */
  readonly kind: "tcp" | "http" | "grpc" | "udp";
  /** Where it connects; undefined: to the endpoint's own port. */
  readonly port?: number;
  /** Of a request of HTTP. */
  readonly path: string;
  readonly host?: string;
  /** The first and the last status that an answer may have. */
  readonly status: readonly [number, number];
  /** Of gRPC's health service; "" is the server as a whole. */
  readonly grpcService: string;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** So many that pass in a row let it in again. */
  readonly rise: number;
  /** So many that fail in a row take it out. */
  readonly fall: number;
}

export interface EndpointView {
  /** Canonical text. */
  readonly address: string;
  /** "" if the slice names no node. */
  readonly node: string;
  readonly isReady: boolean;
  readonly isServing: boolean;
  readonly isTerminating: boolean;
}

export interface SliceView {
  readonly family: Family;
  /** Of the Service, `namespace/name`. */
  readonly service: string;
  readonly ports: readonly { readonly name: string; readonly protocol: string; readonly port: number }[];
  readonly endpoints: readonly EndpointView[];
  /** Endpoints that no node can forward to; left out when there are none. */
  readonly unusable?: readonly UnusableEndpoint[];
}

export interface UnusableEndpoint {
  /** As in the slice. */
  readonly address: string;
  /** `is in 127.0.0.0/8 (loopback)` */
  readonly why: string;
}

export interface NodeView {
  readonly name: string;
  readonly labels: Labels;
  /** The node is being drained or shut down: a pod that ends there is not replaced. */
  readonly departure?: Departure;
  /** Keys of its taints; left out when there are none. */
  readonly taints?: readonly string[];
  /** InternalIP, the first of each family. */
  readonly addresses: { readonly IPv4?: string; readonly IPv6?: string };
  /** How its cloud names it; left out where none does. */
  readonly providerId?: string;
  /** All of its addresses, of any type, in canonical text: none of them is ever a Service's. */
  readonly own: readonly string[];
  /** Addresses of the pod network from which the node sends what it tunnels, as far as the Node object tells. */
  readonly tunnelSources?: readonly string[];
}

export interface PoolView {
  readonly name: string;
  /** As in the spec: `address/length` or `first-last`. */
  readonly addresses: readonly string[];
  readonly protocol: string;
  readonly nodeSelectors: readonly LabelSelector[];
  readonly interfaces: readonly string[];
  /** Only pools of protocol bgp have these. Without any, each address is advertised as it is, to all peers. */
  readonly advertisements: readonly AdvertisementView[];
}

/** One entry of a pool's bgpAdvertisements. */
export interface AdvertisementView {
  /** Length of the advertised prefix. */
  readonly aggregation: Readonly<Record<Family, number>>;
  readonly localPref?: number;
  /** How often more our AS number stands in the path. */
  readonly prepend?: number;
  readonly med?: number;
  /** Routers hear how many pods of its own a node has for an address, where it has to have some. */
  readonly weighsPods?: true;
  readonly communities: readonly number[];
  readonly largeCommunities: readonly LargeCommunity[];
  /** Names of BGPPeers. An empty list means all. */
  readonly peers: readonly string[];
  /** Without it, all nodes that advertise the pool. */
  readonly nodeSelectors: readonly LabelSelector[];
  /** Without it, all Services of the pool. */
  readonly serviceSelectors: readonly LabelSelector[];
}

/** The node's InternalIP of the family, or an address of it. */
export type NextHopChoice = "InternalIP" | { readonly address: string };

/** A BGPPeer. Durations that are zero or unset are undefined. */
export interface PeerView {
  readonly name: string;
  readonly address?: string;
  /** Link of an unnumbered session. */
  readonly link?: string;
  /** The router is the node's default gateway of that family. */
  readonly gateway?: Family;
  /** `address/length`: routers of it connect to the node. */
  readonly range?: string;
  /** Of a range. */
  readonly maximumSessions?: number;
  /** Name of the VRF device that the session is in. */
  readonly vrf?: string;
  readonly port: number;
  readonly localAsn: number;
  readonly peerAsn: number | "internal" | "external";
  readonly routerId?: string;
  readonly holdTimeMs?: number;
  readonly keepaliveTimeMs?: number;
  readonly connectTimeMs?: number;
  /** The session ends if the peer advertises more prefixes. */
  readonly maximumPrefixes?: number;
  readonly sourceAddress?: string;
  /** Of prefixes of each family; what is not given is the node, on the link towards the router. */
  readonly nextHop?: Readonly<Partial<Record<Family, NextHopChoice>>>;
  readonly nodeSelectors: readonly LabelSelector[];
  readonly password?: Password;
  readonly passwordSecret?: string;
  /** By TCP-AO, and not by MD5. */
  readonly tcpAo?: TcpAo;
  readonly isMultihop: boolean;
  /** Packets that came over more hops are refused (RFC 5082). */
  readonly ttlSecurityHops?: number;
  readonly bfdProfile?: string;
  /** Over several hops, or over one; undefined: the speaker finds out. */
  readonly bfdMultihop?: boolean;
  readonly gracefulRestart: boolean;
  /** How long the router is asked to keep routes over a restart. */
  readonly restartTimeMs?: number;
  readonly isDualStack: boolean;
  /** What we are to the router (RFC 9234). */
  readonly role?: Role;
}

/** A BFDProfile with its defaults filled in. */
export interface ProfileView {
  readonly name: string;
  readonly receiveIntervalMs: number;
  readonly transmitIntervalMs: number;
  readonly detectMultiplier: number;
  readonly echoMode: boolean;
  readonly echoIntervalMs: number;
  readonly passive: boolean;
  readonly minimumTtl?: number;
}

/** The LoadBalancer, as far as speakers read it. */
export interface LoadBalancerView {
  readonly generation: number;
  readonly isDeleting: boolean;
  readonly nodeSelector: Labels;
  readonly mode: "IPVS" | "KubeProxy";
  readonly scheduler: string;
  /** Pods of other nodes are reached with this node's address as source, so that their answers come back by it. */
  readonly translates?: true;
  /** How nodes send to each other's pods; left out: ipip. */
  readonly tunnel?: Exclude<Tunnel, "ipip">;
  /** Nodes share their connections. */
  readonly connectionSync: boolean;
  /** Each node gives new connections to its own pods first. Only where connections are shared. */
  readonly prefersLocal?: true;
  /** What to do where a foreign station uses an announced address. */
  readonly addressConflict: "defend" | "yield";
  /** Where speakers gossip, UDP and TCP. */
  readonly gossipPort: number;
  /** Changes when somebody asks to spread the addresses anew over the nodes. */
  readonly rebalance?: string;
  /** Which nodes hand their addresses over to others (known/departure.ts). */
  readonly drain: "Cordon" | "Taint" | "None";
  /** Keys of further taints that say so. */
  readonly drainTaints: readonly string[];
  /** Owners keep their addresses when a node joins or returns that comes before them in the election. */
  readonly keepsOwners: boolean;
  /** Who is called when an address has another owner. As it is written: it may be none. */
  readonly receiver?: { readonly url: string; readonly secret: string };
  /** Nodes with the exclude label attract traffic as well. */
  readonly ignoresExcludeLabel?: true;
  /** Left out: info. */
  readonly logLevel?: LogLevel;
  /** Base URL of the collector that traces go to; left out: there are none. */
  readonly traceEndpoint?: string;
  /** What comes in for each Service is measured and reported. */
  readonly measuresTraffic?: true;
  /** The class of Services that are ours. If it is not set, Services without a class are ours. */
  readonly loadBalancerClass?: string;
}

/** What a speaker tells the others about itself, in its Lease. */
export interface SpeakerState {
  /** Its forwarding was programmed and read back, and it can announce. */
  readonly isReady: boolean;
  /** Links that are up, sorted by name. */
  readonly links: readonly SpeakerLink[];
  /** What it takes tunnels by beside ipip, which every speaker takes. */
  readonly tunnels?: readonly Encapsulation[];
  /** It claims what it owns, and hears what others claim: owners are found by claims where all candidates do so. */
  readonly hearsClaims?: true;
}

export interface SpeakerLink {
  readonly name: string;
  /** Connected prefixes of global scope, `address/length` with the link's own address, sorted. */
  readonly prefixes: readonly string[];
  /** 12 hex digits. Undefined for speakers of a build that did not publish it yet. */
  readonly hardware?: string;
}

export interface Members {
  readonly live: readonly string[];
  readonly dead: readonly string[];
  /** The state of every node whose speaker has published one. */
  readonly states: ReadonlyMap<string, SpeakerState>;
}

export interface ClusterView {
  /** Nodes on a link of this one, sorted, where the LoadBalancer asks for no tunnel. */
  readonly onLink?: readonly string[];
  /** This node. */
  readonly node: string;
  readonly loadBalancer: LoadBalancerView;
  readonly nodes: ReadonlyMap<string, NodeView>;
  readonly pools: Pools;
  /** By key. */
  readonly services: { get(key: string): ServiceView | undefined; keys(): Iterable<string> };
  /** Slices of a Service. */
  readonly slicesOf: (service: string) => readonly SliceView[];
  /**
   * Keys of Services whose object or slices may have changed since the view before. Undefined means that any may have
   * changed, as in the first view that a Planner gets.
   */
  readonly changed?: ReadonlySet<string>;
  /** This node's own state is the one of now, not the one that was published. */
  readonly members: Members;
  /** Who claims addresses (ownership/claims.ts). */
  readonly claims: ClaimsView;
  /** By whom kube-proxy takes addresses for itself; absent: by nobody. */
  readonly takers?: TakersView;
  /** Which endpoints fail their checks (health/reports.ts). */
  readonly health: HealthView;
  /** Which endpoints have ended for their Service; left out: none. */
  readonly drains?: DrainView;
}

/** An endpoint of one port of a Service, as all nodes name it. */
export interface Place {
  /** The forwarding id of the port. */
  readonly id: number;
  readonly address: string;
  readonly port: number;
}

export interface HealthView {
  /** By the word of the node that it is on. */
  isFailing(place: Place, node: string): boolean;
  /** Ids of ports of which an endpoint may be otherwise than in the view before. */
  readonly changed: ReadonlySet<number>;
}

export const ALL_WELL: HealthView = { isFailing: () => false, changed: new Set() };

/** Terminating endpoints that have had the time that their Service gives them (drains.ts). */
export interface DrainView {
  isOver(service: string, address: string): boolean;
  /** Services of which an endpoint may be otherwise than in the view before. */
  readonly changed: ReadonlySet<string>;
}

export const NONE_DRAINED: DrainView = { isOver: () => false, changed: new Set() };

export interface ClaimsView {
  claimantOf(vip: string): string | undefined;
  /** Addresses of which it may be another one than in the view before. */
  readonly changed: ReadonlySet<string>;
}

export const NO_CLAIMS: ClaimsView = { claimantOf: () => undefined, changed: new Set() };
