/**
 * The text of our nftables table: what `nft -f` is given once. It keeps what is in the sets, replaces every chain,
 * removes sets that only older builds had, and takes effect as one transaction, so that an upgrade disturbs no packet.
 * Pure. Reasons: docs/dataplane.md.
 */
import { admittedSet } from "#speaker/forwarding/elements.ts";
import { type ForwardingSettings, PROTOCOLS } from "#speaker/forwarding/types.ts";

export const TABLE = "genkan";
/** The tunnel takes an IPv4 header, or an IPv6 one; TCP and IP take the rest. */
const TUNNEL = { v4: 20 + 40, v6: 40 + 60 } as const;

export interface RulesetInput {
  readonly settings: ForwardingSettings;
  readonly nodeAddresses: { readonly IPv4?: string; readonly IPv6?: string };
  /** Of the way to remote pods, bytes. */
  readonly mtu: number;
  /** Lines to keep for removal: `net.ipv4.vs.conntrack=0`. */
  readonly saved: readonly string[];
}

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
    `map tier2v${digit} { type ${port} : mark; }`,
    `set local${digit} { type ${address}; }`,
    `set hairpin${digit} { type ${address} . ${address}; }`,
    `set masqueraded${digit} { type ${address}; }`,
    `set refused${digit} { type ${port}; }`,
    `set restricted${digit} { type ${port}; }`,
    // A set for each protocol: no protocol may be in a concatenation of intervals (docs/dataplane.md).
    ...PROTOCOLS.map(
      (protocol) =>
        `set ${admittedSet(protocol)}${digit} { type ${address} . inet_service . ${address}; flags interval; }`,
    ),
  ];
}

/** Error maps are by what an ICMP error says of the packet that caused it. */
const TYPED = [
  "map error1v4 { typeof ip daddr . @th,136,8 . @th,224,16 : meta mark; }",
  "map error2v4 { typeof ip daddr . @th,136,8 . @th,224,16 : meta mark; }",
  "map error1v6 { typeof ip6 daddr . @th,112,8 . @th,384,16 : meta mark; }",
  "map error2v6 { typeof ip6 daddr . @th,112,8 . @th,384,16 : meta mark; }",
  "set marks { type mark; }",
];

/** Sets of older builds that no rule asks any more, and their types. */
const RETIRED: Readonly<Record<string, string>> = {
  admitted4: `${PORT.v4} . ${ADDRESS.v4}`,
  admitted6: `${PORT.v6} . ${ADDRESS.v6}`,
};

/** The sets and maps alone; those that are there keep what is in them. */
export function setsText(): string {
  const lines = [...declarations("v4"), ...declarations("v6"), ...TYPED].map((line) => ` ${line}`);
  return `${[`table inet ${TABLE} {`, ...lines, "}"].join("\n")}\n`;
}

interface Words {
  readonly ip: "ip" | "ip6";
  readonly digit: "4" | "6";
  readonly tunnel: string;
  /** Matches an ICMP error about a packet of ours, and its inner protocol and source port. */
  readonly error: string;
  readonly inner: string;
}

const V4: Words = {
  ip: "ip",
  digit: "4",
  tunnel: "tunl0",
  error: "icmp type { destination-unreachable, time-exceeded }",
  inner: "@th,136,8 . @th,224,16",
};
const V6: Words = {
  ip: "ip6",
  digit: "6",
  tunnel: "ip6tnl0",
  error: "icmpv6 type { packet-too-big, destination-unreachable, time-exceeded }",
  inner: "@th,112,8 . @th,384,16",
};

/** In place of a hook: the kernel does not run the chain by itself. */
const NO_HOOK = "";

const destinationOf = ({ ip }: Words): string => `${ip} daddr . meta l4proto . th dport`;

function decap({ nodeAddresses }: RulesetInput): string[] {
  return [
    "type filter hook prerouting priority raw - 10; policy accept;",
    ...(nodeAddresses.IPv4 === undefined
      ? []
      : [`ip protocol 4 ip daddr @local4 ip daddr set ${nodeAddresses.IPv4}`]),
    ...(nodeAddresses.IPv6 === undefined
      ? []
      : [`ip6 nexthdr 41 ip6 daddr @local6 ip6 daddr set ${nodeAddresses.IPv6}`]),
  ];
}

function refuse(words: Words): string[] {
  const { ip, digit } = words;
  return [
    `${destinationOf(words)} @restricted${digit} jump sources${digit}`,
    `meta l4proto tcp ${destinationOf(words)} @refused${digit} reject with tcp reset`,
    `${destinationOf(words)} @refused${digit} reject with ${ip === "ip" ? "icmp" : "icmpv6"} type port-unreachable`,
  ];
}

/** Only packets to restricted ports come here; those of admitted sources go back to where they came from. */
function sources({ ip, digit }: Words): string[] {
  return [
    NO_HOOK,
    ...PROTOCOLS.map(
      (protocol) =>
        `meta l4proto ${protocol.toLowerCase()} ${ip} daddr . th dport . ${ip} saddr @${admittedSet(protocol)}${digit} return`,
    ),
    "drop",
  ];
}

function pre(bit: string): string[] {
  return [
    // Late: a foreign agent's `meta mark set ct mark` behind us would take the bit away.
    "type filter hook prerouting priority mangle + 10; policy accept;",
    ...[V4, V6].flatMap((words) => [
      ...refuse(words),
      `${destinationOf(words)} @ports${words.digit} meta mark set meta mark or ${bit}`,
      `${words.ip} daddr @vips${words.digit} ${words.error} meta mark set meta mark or ${bit}`,
    ]),
  ];
}

function input(bit: string): string[] {
  const port = (words: Words, tier: "tier1v" | "tier2v"): string =>
    `meta mark set ${destinationOf(words)} map @${tier}${words.digit} return`;
  const error = (words: Words, tier: "error1v" | "error2v"): string =>
    `${words.error} meta mark set ${words.ip} daddr . ${words.inner} map @${tier}${words.digit} return`;
  return [
    // IPVS is at 98: nobody may change the mark between.
    "type filter hook input priority 90; policy accept;",
    `meta mark and ${bit} == 0 return`,
    ...[V4, V6].map((words) => `iifname "${words.tunnel}" ${port(words, "tier2v")}`),
    ...[V4, V6].map((words) => `iifname "${words.tunnel}" ${error(words, "error2v")}`),
    // No pod of it here any more: never into a tunnel again. Without a full mark the kernel resets the connection.
    ...[V4, V6].map((words) => `iifname "${words.tunnel}" return`),
    ...[V4, V6].map((words) => port(words, "tier1v")),
    ...[V4, V6].map((words) => error(words, "error1v")),
  ];
}

function output(): string[] {
  return [
    "type filter hook output priority mangle; policy accept;",
    ...[V4, V6].flatMap((words) => [
      ...refuse(words).slice(1),
      `meta mark set ${destinationOf(words)} map @tier1v${words.digit} return`,
    ]),
  ];
}

function clear(bit: string): string[] {
  return [
    "type filter hook output priority -90; policy accept;",
    `meta mark and ${bit} == ${bit} meta mark set 0`,
  ];
}

function segmentSize(mtu: number): string[] {
  const clamp = ({ ip, digit }: Words, size: number): string =>
    `${ip} saddr . meta l4proto . th sport @ports${digit} tcp flags & (syn|ack) == (syn|ack) tcp option maxseg size > ${size} tcp option maxseg size set ${size}`;
  return [
    "type filter hook postrouting priority mangle; policy accept;",
    `meta l4proto tcp ${clamp(V4, mtu - TUNNEL.v4)}`,
    `meta l4proto tcp ${clamp(V6, mtu - TUNNEL.v6)}`,
  ];
}

function sourceNat(): string[] {
  return [
    "type nat hook postrouting priority srcnat; policy accept;",
    ...[V4, V6].flatMap(({ ip, digit }) => [
      `${ip} saddr . ${ip} daddr @hairpin${digit} ct original ${ip} daddr @vips${digit} masquerade`,
      `${ip} daddr @masqueraded${digit} ct original ${ip} daddr @vips${digit} masquerade`,
    ]),
  ];
}

function echo({ nodeAddresses }: RulesetInput): string[] {
  return [
    "type nat hook prerouting priority dstnat; policy accept;",
    ...(nodeAddresses.IPv4 === undefined
      ? []
      : [`ip daddr @vips4 icmp type echo-request dnat ip to ${nodeAddresses.IPv4}`]),
    ...(nodeAddresses.IPv6 === undefined
      ? []
      : [`ip6 daddr @vips6 icmpv6 type echo-request dnat ip6 to ${nodeAddresses.IPv6}`]),
  ];
}

export function rulesetText(wanted: RulesetInput): string {
  const bit = `0x${wanted.settings.routingBit.toString(16)}`;
  const chains: Readonly<Record<string, readonly string[]>> = {
    sources4: sources(V4),
    sources6: sources(V6),
    decap: decap(wanted),
    pre: pre(bit),
    in: input(bit),
    out: output(),
    clear: clear(bit),
    mss: segmentSize(wanted.mtu),
    masquerade_back: sourceNat(),
    echo: echo(wanted),
    // Nothing jumps there: a place in the kernel for what removal restores, with just the lifetime of the change.
    saved: [NO_HOOK, ...wanted.saved.map((line) => `return comment "${line}"`)],
  };
  const lines = [
    // First every chain without rules: what an older build had in them goes in the same transaction.
    ...Object.entries(chains).flatMap(([name, [hook]]) => [
      `table inet ${TABLE} { chain ${name} { ${hook} }`,
      "}",
      `flush chain inet ${TABLE} ${name}`,
    ]),
    // To remove what is not there is an error, and nft 1.0.6 has no `destroy`: so each is made before it is removed.
    ...Object.entries(RETIRED).flatMap(([name, type]) => [
      `add set inet ${TABLE} ${name} { type ${type}; flags interval; }`,
      `delete set inet ${TABLE} ${name}`,
    ]),
    ...Object.entries(chains).flatMap(([name, [, ...rules]]) =>
      rules.map((rule) => `add rule inet ${TABLE} ${name} ${rule}`),
    ),
  ];
  return `${setsText()}${lines.join("\n")}\n`;
}
