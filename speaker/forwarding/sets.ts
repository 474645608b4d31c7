/** The sets, maps and counters of our nftables table, and their keys. Pure. docs/dataplane.md gives the reasons. */
import { FAMILIES } from "#api/address.ts";
import { admittedSet, named } from "#speaker/forwarding/elements.ts";
import { PROTOCOLS } from "#speaker/forwarding/types.ts";

export const TABLE = "genkan";

/** The reasons for which packets are turned away: names of counters, and values of the metric's label `reason`. */
export const COUNTERS = {
  /**
   * A tunnelled packet for one of our addresses to one of our pods that no member sent, or any packet for our tunnels'
   * own addresses.
   */
  tunnelSource: "tunnel_source",
  /** A packet that came out of our tunnel and is for no port of ours. */
  tunnelContent: "tunnel_content",
  /** A packet that came out of our tunnel for a port that has no pod on this node. */
  noPod: "no_pod",
  /** A packet from a source that loadBalancerSourceRanges does not admit. */
  sourceRanges: "source_ranges",
  /** A packet for one of our addresses, with a port or protocol that no Service has. */
  noPort: "no_port",
  /** A packet for an address that is routed to nodes and that nobody has. */
  noAddress: "no_address",
  /** Tells of connections, and is from no member or by another link than the node network's. */
  syncSource: "sync_source",
} as const;

/** Filled by packets, and emptied by time. */
export const HEARD = "heard";

const PORT = {
  v4: "ipv4_addr . inet_proto . inet_service",
  v6: "ipv6_addr . inet_proto . inet_service",
} as const;
const ADDRESS = { v4: "ipv4_addr", v6: "ipv6_addr" } as const;

function declarations(version: "v4" | "v6"): string[] {
  const digit = version === "v4" ? "4" : "6";
  const [port, address] = [PORT[version], ADDRESS[version]];
  return [
    `set ports${digit} { type ${port}; }`,
    `set vips${digit} { type ${address}; }`,
    `map tier1v${digit} { type ${port} : mark; }`,
    // A Service's port and the tag of a pod of this node (tags.ts).
    `map handed${digit} { type ${port} . classid : mark; }`,
    `map tags${digit} { type ${address} : classid; }`,
    `set hairpin${digit} { type ${address} . ${address}; }`,
    // The key has a Service's port and a pod, so that another Service with the same pod changes nothing for this one.
    `set translated${digit} { type ${port} . ${address}; }`,
    `set restricted${digit} { type ${port}; }`,
    // A set for each protocol: no protocol may be in a concatenation of intervals (docs/dataplane.md).
    ...PROTOCOLS.map(
      (protocol) =>
        `set ${admittedSet(protocol)}${digit} { type ${address} . inet_service . ${address}; flags interval; }`,
    ),
    `set guarded${digit} { type ${address}; }`,
    `set admitted_ping${digit} { type ${address} . ${address}; flags interval; }`,
    `set members${digit} { type ${address}; }`,
    // Whose frames have what another node hands on as it is (spec.forwarding.tunnel none).
    `set stations${digit} { type ether_addr; }`,
    // The rules put in there who told of connections lately (sync-rules.ts).
    `set ${HEARD}${digit} { type ${address}; size 65535; flags dynamic,timeout; timeout 30s; }`,
    // Destination and source, of which all count: intervals of one part alone are written in another way.
    `set routed${digit} { type ${address} . ${address}; flags interval; }`,
  ];
}

/** Error maps are by what an ICMP error says of the packet that caused it. */
const TYPED = [
  "map error1v4 { typeof ip daddr . @th,136,8 . @th,224,16 : meta mark; }",
  "map handed_error4 { typeof ip daddr . @th,136,8 . @th,224,16 . meta priority : meta mark; }",
  "map error1v6 { typeof ip6 daddr . @th,112,8 . @th,384,16 : meta mark; }",
  "map handed_error6 { typeof ip6 daddr . @th,112,8 . @th,384,16 . meta priority : meta mark; }",
  // Destinations of packets in tunnels, by their octets: the set of our addresses is of another type to nft.
  "set carried4 { typeof @th,128,32; }",
  "set carried6 { typeof @th,192,128; }",
  "set marks { type mark; }",
];

/** Sets and maps of older builds that no rule asks any more: kind and name -> what is between the braces. */
export const RETIRED: Readonly<Record<string, string>> = {
  "set admitted4": `type ${PORT.v4} . ${ADDRESS.v4}; flags interval;`,
  "set admitted6": `type ${PORT.v6} . ${ADDRESS.v6}; flags interval;`,
  "set refused4": `type ${PORT.v4};`,
  "set refused6": `type ${PORT.v6};`,
  "set masqueraded4": `type ${ADDRESS.v4};`,
  "set masqueraded6": `type ${ADDRESS.v6};`,
  "set local4": `type ${ADDRESS.v4};`,
  "set local6": `type ${ADDRESS.v6};`,
  "map tier2v4": `type ${PORT.v4} : mark;`,
  "map tier2v6": `type ${PORT.v6} : mark;`,
  "map slots4": `type ${ADDRESS.v4} : classid;`,
  "map slots6": `type ${ADDRESS.v6} : classid;`,
  "map error2v4": "typeof ip daddr . @th,136,8 . @th,224,16 : meta mark;",
  "map error2v6": "typeof ip6 daddr . @th,112,8 . @th,384,16 : meta mark;",
};

/** Sets whose being empty turns somebody away. */
export const ADMITTING_SETS: readonly string[] = FAMILIES.flatMap((family) =>
  [...PROTOCOLS.map(admittedSet), "admitted_ping", "members", "carried", "tags"].map((set) =>
    named(set, family),
  ),
);

/** Maps that took the place of one of an older build: name -> that one. Meanwhile they have the marks that it had. */
export const SUCCEEDING: Readonly<Record<string, string>> = {
  handed4: "tier2v4",
  handed6: "tier2v6",
  handed_error4: "error2v4",
  handed_error6: "error2v6",
};

/** The sets, maps and counters alone; those that are there keep what is in them. */
export function setsText(): string {
  const counters = Object.values(COUNTERS).map((name) => `counter ${name} { }`);
  const lines = [...declarations("v4"), ...declarations("v6"), ...TYPED, ...counters];
  return `${[`table inet ${TABLE} {`, ...lines.map((line) => ` ${line}`), "}"].join("\n")}\n`;
}
