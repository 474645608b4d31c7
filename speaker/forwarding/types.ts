/**
 * What the forwarding part is asked to do, what it wants in the kernel, and what it did about it.
 * Everything here is plain JSON: sorted, printable, comparable.
 */

import type { Family, Range } from "#api/address.ts";
import type { Encapsulation, Tunnel } from "#speaker/forwarding/encapsulation.ts";

export type Protocol = "TCP" | "UDP" | "SCTP";
export const PROTOCOLS: readonly Protocol[] = ["TCP", "UDP", "SCTP"];

/** A ready or draining pod (or other backend) of one service port. */
export interface ForwardedEndpoint {
  /** Canonical text: the same spelling on every node. */
  address: string;
  port: number;
  /** On this node. */
  isLocal: boolean;
  /** The node that it is on; absent: on none, or it is not known. */
  node?: string;
  /** False means that it drains: it keeps its connections and gets no new ones (weight 0). */
  isServing: boolean;
  /** It drains because it fails its checks; absent where it does not. */
  isFailing?: boolean;
  /** Its share of new connections beside those of the others; absent: 1. */
  weight?: number;
  /** "snat": a remote endpoint that cannot answer the client itself is reached by masquerade with this node's address. */
  returnPath: "direct" | "snat";
  /** How a remote one that answers the client itself is reached; absent: ipip. */
  tunnel?: Exclude<Tunnel, "ipip">;
}

/** One port of one Service at one of its addresses. Without endpoints it is refused at once. */
export interface ForwardedPort {
  /** The Service that has the port, `namespace/name`, for messages. */
  service?: string;
  /** Cluster-wide forwarding id, 1..MAX_FORWARDING_ID. */
  id: number;
  family: Family;
  vip: string;
  protocol: Protocol;
  port: number;
  /** Kernel scheduler, "mh" unless chosen otherwise. */
  scheduler: string;
  /** Its Service alone asks for it: a kernel that lacks it fails for that Service only. */
  hasOwnScheduler?: boolean;
  /** Connections of one endpoint, as the kernel counts them; lower 0: three quarters of upper. */
  thresholds?: { readonly upper: number; readonly lower: number };
  /** sessionAffinity ClientIP: the client's port plays no part in the choice. */
  affinity: boolean;
  /** externalTrafficPolicy Local: new connections go to this node's pods while it has one. */
  preferLocal: boolean;
  /** loadBalancerSourceRanges of this family. Undefined admits everybody, an empty list nobody. */
  sourceRanges?: readonly string[];
  endpoints: readonly ForwardedEndpoint[];
}

export interface ForwardingSettings {
  /** Routing bit in marks, one bit; kube-proxy's 0x4000 and 0x8000 and bit 31 are refused. */
  routingBit: number;
  /** Own routing table, and the preference of the rule that leads there. */
  table: number;
  rulePreference: number;
  /** Nodes share their connections: tier 2 is everywhere, or a connection that another node tells of finds no pod. */
  sharesConnections: boolean;
  /** Nodes hand on by no tunnel: a packet does not say for which pod it is. */
  handsOnBare?: true;
}

export const DEFAULT_SETTINGS: ForwardingSettings = {
  routingBit: 0x1000,
  table: 7077,
  rulePreference: 100,
  sharesConnections: false,
};

/** Another node that is to share connections. */
export interface SyncPeer {
  readonly node: string;
  /** Where its messages come from. */
  readonly address: string;
}

/** How nodes share connections (connection-sync.ts). */
export interface SyncInput {
  /** Of the node network. */
  readonly link: { readonly name: string; readonly index: number };
  /** This node's own address there, whose family the messages have. */
  readonly address: string;
  /** Whose speakers live. */
  readonly peers: readonly SyncPeer[];
}

/**
 * From when a node listens until it has heard of every connection in use: one is told of every 3 s, and a message may wait for
 * 2 s. It is bound only where its pods are known.
 */
export const GATHER_MS = 6_000;

/** Why connections are not shared, or not with all; forwarding goes on. */
export interface SyncTrouble {
  readonly code: "ForeignSync" | "NoSyncLink" | "SyncRefused" | "SyncUnheard";
  readonly message: string;
}

/** This node's kernel has no such tunnel as is asked for; forwarding goes on. */
export interface TunnelTrouble {
  readonly code: "NoTunnelEnd";
  readonly message: string;
}

export interface ForwardingInput {
  /** This node's own address in each family it has: tunnels end there, pings of a vip are answered from there. */
  nodeAddresses: { readonly IPv4?: string; readonly IPv6?: string };
  ports: readonly ForwardedPort[];
  /** Every address given to Services, announced here or not. */
  vips: readonly string[];
  /**
   * Outer addresses from which nodes send what they tunnel. Undefined means that the caller does not know them; then
   * the outer source is not looked at. In either case the inner packet has to be for a port of ours.
   */
  members?: readonly string[];
  /**
   * Ranges that routers may send to this node. A packet for an address that nobody has never goes back to where it came
   * from.
   */
  routed?: readonly Range[];
  /** How nodes should send to each other's pods; absent: ipip. What is sent to whom is in the endpoints. */
  tunnel?: Tunnel;
  /** Hardware addresses of other nodes' links, hexadecimal, from which packets come that are carried by nothing. */
  stations?: readonly string[];
  /** Absent: connections are not shared. With `settings.sharesConnections`. */
  sync?: SyncInput;
  settings?: ForwardingSettings;
}

export interface RealServer {
  address: string;
  port: number;
  forwarding: "masquerade" | "tunnel" | "direct";
  /** Of "tunnel"; absent: ipip. */
  tunnel?: Exclude<Encapsulation, "ipip">;
  weight: number;
  /** Of weight 0: the weight by which mh counts it still, so that its table is that of other nodes; absent: 1. */
  lastWeight?: number;
  thresholds?: { readonly upper: number; readonly lower: number };
}

/** An IPVS service found by firewall mark. Real servers in the order in which a new one gets them. */
export interface VirtualServer {
  mark: number;
  family: Family;
  scheduler: string;
  hasOwnScheduler?: boolean;
  /** IP_VS_SVC_F_SCHED* bits. */
  flags: number;
  realServers: readonly RealServer[];
}

/** Element of a named nftables set or map of ours: key (and end of an interval, and value of a map), as hex. */
export interface Element {
  key: string;
  keyEnd?: string;
  value?: string;
}

export interface ForwardingPlan {
  settings: ForwardingSettings;
  /** Parts of them that no kernel would take. */
  leftOut: readonly KernelRefusal[];
  nodeAddresses: { readonly IPv4?: string; readonly IPv6?: string };
  /** The sets `members4` and `members6` say who may tunnel to this node. */
  knowsMembers: boolean;
  /** By mark. */
  virtualServers: readonly VirtualServer[];
  /** Addresses that are local for marked packets. */
  routes: readonly string[];
  /** By set name; elements by key. */
  elements: Readonly<Record<string, readonly Element[]>>;
  /** Some remote endpoints: the way to them decides the segment size. */
  remoteEndpoints: readonly string[];
}

/** One entry that was not as planned, and was put right. */
export interface Change {
  /** "keep" means that it should have been put back but is left as it is, because somebody else uses it by now. */
  action: "create" | "update" | "remove" | "keep";
  /** "virtualServer", "realServer", "route", "rule", "element", "ruleset", "sysctl", "link", "syncDaemon" */
  kind: string;
  name: string;
}

/** One entry that the kernel did not take, though everything else was served. */
export interface KernelRefusal {
  /** What was asked: `add destination 192.0.2.255 port 80 of fwmark 4097 IPv4`. */
  readonly attempt: string;
  readonly kind: "virtualServer" | "realServer" | "route" | "element";
  /** For people: `endpoint 192.0.2.255 port 80`. */
  readonly what: string;
  /** `namespace/name`; undefined if it belongs to no Service, as what is removed. */
  readonly service?: string;
  /** `192.0.2.1 TCP/80`, or the address alone. */
  readonly place?: string;
  /**
   * The name of the errno. `NotVerified` means that the kernel accepted the request, but the entry was not there when
   * it was read back. `Unplanned` means that the kernel was not asked.
   */
  readonly code: string;
  /** The same as a message. */
  readonly words: string;
}

export interface Reconciled {
  /** Messages written to the kernel's netlink sockets, child processes and sysctls: 0 when nothing was to do. */
  writes: number;
  /** All of them by kind, and some of them by name. */
  counts: ReadonlyMap<string, number>;
  changes: readonly Change[];
  /** Marks that a foreign IPVS service already has. Those services are left alone, and the ports are not forwarded. */
  conflicts: readonly string[];
  /** What the kernel does not take at present. It is asked again after a pause that grows. */
  refused: readonly KernelRefusal[];
  /** False: it ended before all was done, since another pass was due. */
  isComplete: boolean;
  /** Of one that is not complete: addresses of which every port is as far as the kernel takes it. */
  whole: ReadonlySet<string>;
  /** Undefined: connections are shared with all, or are not to be. */
  syncTrouble?: SyncTrouble;
  /** Tunnels beside ipip that end here as asked. */
  offered?: readonly Encapsulation[];
  tunnelTrouble?: TunnelTrouble;
  /** The others' connections may not all have come yet, so this node should not attract what it did not attract. */
  isGathering?: boolean;
}

export interface ForwardingCounts {
  virtualServers: number;
  realServers: number;
  routes: number;
  elements: number;
  /** Since start. */
  netlinkMessagesWritten: number;
  passes: number;
  changes: number;
  /** Packets, by reason (sets.ts), since the table was made. */
  turnedAway: Readonly<Record<string, number>>;
  /** What IPVS had at the end of the last whole pass (digest.ts); absent before there was one. */
  digest?: string;
}

/** The counts before anything was written into the kernel. */
export const NO_COUNTS: ForwardingCounts = {
  virtualServers: 0,
  realServers: 0,
  routes: 0,
  elements: 0,
  netlinkMessagesWritten: 0,
  passes: 0,
  changes: 0,
  turnedAway: {},
};

export type ForwardingFault =
  | "NoIpvs"
  | "NoScheduler"
  | "NoNetAdmin"
  | "NoTunnel"
  | "NoNftables"
  | "SysctlNotWritable"
  | "KernelRefused"
  | "NotVerified"
  | "Unexpected";

/** Why this node cannot forward. The code is a condition's reason. */
export class ForwardingError extends Error {
  readonly code: ForwardingFault;
  constructor(code: ForwardingFault, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "ForwardingError";
    this.code = code;
  }
}
