/**
 * The text of our nftables table: what `nft -f` is given once. It keeps what is in the sets, replaces every chain,
 * removes sets that only older builds had, and takes effect as one transaction, so that an upgrade disturbs no packet.
 * Pure. Reasons: docs/dataplane.md.
 */
import { type Encapsulation, HEADER_BYTES, outOf, type Tunnel } from "#speaker/forwarding/encapsulation.ts";
import { arrivals, guards } from "#speaker/forwarding/guard.ts";
import { probesArrived, probesMarked } from "#speaker/forwarding/probe-rules.ts";
import { RETIRED, setsText, TABLE } from "#speaker/forwarding/sets.ts";
import { syncRules } from "#speaker/forwarding/sync-rules.ts";
import { type ForwardingSettings, PROTOCOLS } from "#speaker/forwarding/types.ts";
import { BOTH, destinationOf, NO_HOOK, NO_PRIORITY, V4, V6, type Words } from "#speaker/forwarding/words.ts";

/** The tunnel takes an IPv4 header, or an IPv6 one; TCP and IP take the rest. */
const TUNNEL = { v4: 20 + 40, v6: 40 + 60 } as const;

export interface RulesetInput {
  readonly settings: ForwardingSettings;
  readonly nodeAddresses: { readonly IPv4?: string; readonly IPv6?: string };
  /** Only what is in the sets `members4` and `members6` may tunnel to this node. */
  readonly knowsMembers: boolean;
  /** Of the way to remote pods, bytes. */
  readonly mtu: number;
  /** What may come in. */
  readonly taken: readonly Encapsulation[];
  /** What nodes are to send to each other; with "none", what comes from the stations counts as if it came by a tunnel. */
  readonly tunnel: Tunnel;
  /** Of the node network, by which members tell of their connections; absent: nobody may. */
  readonly syncLink?: string;
  /** Lines to keep for removal: `net.ipv4.vs.conntrack=0`. */
  readonly saved: readonly string[];
}

function pre(bit: string, { nodeAddresses, taken }: RulesetInput): string[] {
  return [
    // Late: a foreign agent's `meta mark set ct mark` behind us would take the bit away.
    "type filter hook prerouting priority mangle + 10; policy accept;",
    ...probesMarked(nodeAddresses, bit, taken),
    ...arrivals(),
  ];
}

/** The key of maps of ports, of an ICMP error about a packet of such a port. */
const destinationOfError = ({ ip, inner }: Words): string => `${ip} daddr . ${inner}`;

function input(bit: string, { nodeAddresses, taken, tunnel }: RulesetInput): string[] {
  return [
    // IPVS is at 98: nobody may change the mark between.
    "type filter hook input priority 90; policy accept;",
    `meta mark and ${bit} == 0 return`,
    ...probesArrived(nodeAddresses, taken),
    ...BOTH.map(({ family, digit }) => `iifname ${outOf(family, taken)} goto handed_on${digit}`),
    // By the hardware address of whoever sent the frame, which is another node: it chose a pod of this one, and no tag says
    // which.
    ...(tunnel === "none"
      ? BOTH.map(
          ({ digit, nfproto }) =>
            `meta nfproto ${nfproto} ether saddr @stations${digit} ${NO_PRIORITY} goto handed_on${digit}`,
        )
      : []),
    ...BOTH.map((words) => `meta mark set ${destinationOf(words)} map @tier1v${words.digit} return`),
    ...BOTH.map(
      (words) =>
        `${words.error} meta mark set ${destinationOfError(words)} map @error1v${words.digit} return`,
    ),
  ];
}

/** What another node handed on, which chose a pod: the priority has the pod's tag (guard.ts), and is given back here. */
function handedOn(words: Words): string[] {
  const { digit, error } = words;
  return [
    NO_HOOK,
    `meta mark set ${destinationOf(words)} . meta priority map @handed${digit} ${NO_PRIORITY} return`,
    `${error} meta mark set ${destinationOfError(words)} . meta priority map @handed_error${digit} ${NO_PRIORITY} return`,
    "goto no_pod",
  ];
}

function output(): string[] {
  return [
    "type filter hook output priority mangle; policy accept;",
    ...BOTH.map(({ ip, digit }) => `${ip} daddr @vips${digit} goto leaving${digit}`),
  ];
}

function clear(): string[] {
  return [
    "type filter hook output priority -90; policy accept;",
    // Nothing but marks that our maps give: a foreign one may well have the routing bit.
    "meta mark @marks meta mark set 0",
  ];
}

/** Whatever may be used now: nodes may not all have heard yet what is to be used. */
function largestHeader({ taken, tunnel }: RulesetInput): number {
  return Math.max(...[...taken, tunnel].map((kind) => HEADER_BYTES[kind]));
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

/**
 * An answer leaves by the address and port that its client sent to. IPVS finds the connection of an answer by the client's
 * address and port and the pod's, and takes the youngest: of a client that used one port for two Services of the same
 * pods, that may be the other one. Conntrack knows better, since it gave the second connection another port.
 */
function answers(hook: string): string[] {
  return [
    `type filter hook ${hook}; policy accept;`,
    ...BOTH.flatMap(({ ip, digit }) =>
      PROTOCOLS.map((name) => name.toLowerCase()).map(
        (protocol) =>
          `ct direction reply meta l4proto ${protocol} ${ip} saddr . meta l4proto . th sport @ports${digit} ` +
          `${ip} saddr set ct original ${ip} daddr ${protocol} sport set ct original proto-dst`,
      ),
    ),
  ];
}

function sourceNat(): string[] {
  return [
    "type nat hook postrouting priority srcnat; policy accept;",
    ...BOTH.flatMap(({ ip, digit }) => [
      `${ip} saddr . ${ip} daddr @hairpin${digit} ct original ${ip} daddr @vips${digit} masquerade`,
      // A rule for each protocol: nft has no size of `proto-dst` before it knows whose port it is.
      ...PROTOCOLS.map(
        (protocol) =>
          `meta l4proto ${protocol.toLowerCase()} ct original ${ip} daddr . meta l4proto . ct original proto-dst . ${ip} daddr @translated${digit} masquerade`,
      ),
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

/**
 * What IPVS has not taken, because somebody has emptied it, and what is still for an address of ours: this machine would answer
 * it with a reset, and the connection is whole once the audit has put the virtual servers back. What IPVS gives to a pod with this
 * node's own address has another destination by now.
 */
function notTaken(): string[] {
  return [
    "type filter hook input priority 100; policy accept;",
    ...BOTH.map(({ ip, digit }) => `${ip} daddr @vips${digit} meta mark @marks drop`),
  ];
}

export function rulesetText(wanted: RulesetInput): string {
  const { knowsMembers, nodeAddresses, taken } = wanted;
  const bit = `0x${wanted.settings.routingBit.toString(16)}`;
  const chains: Readonly<Record<string, readonly string[]>> = {
    ...guards({ bit, knowsMembers, nodeAddresses, taken }),
    pre: pre(bit, wanted),
    ...Object.fromEntries(BOTH.map((words) => [`handed_on${words.digit}`, handedOn(words)])),
    in: input(bit, wanted),
    not_taken: notTaken(),
    out: output(),
    clear: clear(),
    mss: segmentSize(wanted.mtu - largestHeader(wanted)),
    answers: answers("postrouting priority mangle"),
    // To clients on the node itself: behind IPVS, which is at 98 and 99.
    answers_here: answers("input priority 101"),
    masquerade_back: sourceNat(),
    echo: echo(wanted),
    sync: syncRules(wanted.syncLink, knowsMembers),
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
    ...Object.entries(RETIRED).flatMap(([name, what]) => {
      const [kind, set] = name.split(" ");
      return [`add ${kind} inet ${TABLE} ${set} { ${what} }`, `delete ${kind} inet ${TABLE} ${set}`];
    }),
    ...Object.entries(chains).flatMap(([name, [, ...rules]]) =>
      rules.map((rule) => `add rule inet ${TABLE} ${name} ${rule}`),
    ),
  ];
  return `${setsText()}${lines.join("\n")}\n`;
}
