/**
 * Chains that turn away packets: at the way into our tunnels and out of them, and for addresses that are ours, or that
 * are routed to this node though nobody has them. Pure. docs/dataplane.md, "What is turned away", gives the reasons.
 */
import { admittedSet } from "#speaker/forwarding/elements.ts";
import { type Encapsulation, matchesOf, outOf } from "#speaker/forwarding/encapsulation.ts";
import { type NodeAddresses, probesIntoTunnel, probesOutOfTunnel } from "#speaker/forwarding/probe-rules.ts";
import { COUNTERS } from "#speaker/forwarding/sets.ts";
import { PROTOCOLS } from "#speaker/forwarding/types.ts";
import { BOTH, destinationOf, NO_HOOK, type Words } from "#speaker/forwarding/words.ts";

/** How many packets of a flood are answered. The others are dropped. */
const LIMIT = "limit rate 200/second burst 200 packets";

type Chains = Readonly<Record<string, readonly string[]>>;

const counted = (counter: keyof typeof COUNTERS): string => `counter name ${COUNTERS[counter]}`;

/**
 * Packets that members tunnel for our addresses to pods of this node go into our tunnel. Nothing else does, because no
 * packet that comes in has the address that this chain writes. The packet's priority keeps for which pod it came: a mark would
 * not last, since other agents give packets theirs behind the tunnel. A pod on the host's network has the node's own address,
 * and tunnels of others end there as well, so the inner packet is looked at. What comes out of our tunnel is inspected
 * first.
 */
function decap({ knowsMembers, nodeAddresses, taken }: GuardInput): string[] {
  return [
    "type filter hook prerouting priority raw - 10; policy accept;",
    ...BOTH.map(({ family, digit }) => `iifname ${outOf(family, taken)} goto inner${digit}`),
    ...BOTH.map(({ ip, tunnelEnd }) => `${ip} daddr ${tunnelEnd} ${counted("tunnelSource")} drop`),
    ...BOTH.flatMap(({ ip, digit, family, tunnelEnd }) =>
      taken.flatMap((kind) => {
        const { tunnelled, carried } = matchesOf(family, kind);
        const isOurs = `${tunnelled} ${carried} @carried${digit}`;
        const known = knowsMembers ? `${ip} saddr @members${digit} ` : "";
        const tag = `meta priority set ${ip} daddr map @tags${digit}`;
        return [
          `${isOurs} ${known}${tag} ${ip} daddr set ${tunnelEnd}`,
          `${isOurs} ${tag} ${counted("tunnelSource")} drop`,
        ];
      }),
    ),
    ...probesIntoTunnel(nodeAddresses, knowsMembers, taken),
  ];
}

/**
 * Packets that came out of our tunnel: they are for a port of ours, or ICMP errors about a packet of such a port (chain
 * `in` decides).
 */
function inner(words: Words, nodeAddresses: NodeAddresses): string[] {
  return [
    NO_HOOK,
    ...probesOutOfTunnel(nodeAddresses, words.digit),
    `${destinationOf(words)} @ports${words.digit} accept`,
    `${words.ip} daddr @vips${words.digit} ${words.error} accept`,
    `${counted("tunnelContent")} drop`,
  ];
}

/**
 * Packets from outside, from pods and from tunnels to one of our addresses: each gets the routing bit, or ends here.
 */
function ours(words: Words, bit: string): string[] {
  const { digit, icmp, error } = words;
  return [
    NO_HOOK,
    `${icmp} type echo-request goto ping${digit}`,
    `${destinationOf(words)} @restricted${digit} jump sources${digit}`,
    `${destinationOf(words)} @ports${digit} meta mark set meta mark or ${bit} return`,
    `${error} meta mark set meta mark or ${bit} return`,
    `goto no_port${digit}`,
  ];
}

/** Packets that this node itself sends to one of our addresses. */
function leaving(words: Words): string[] {
  const { digit, icmp, icmpNumber } = words;
  return [
    NO_HOOK,
    `${icmp} type echo-request goto ping${digit}`,
    // ICMP errors about the answers of our addresses go to the node that has the connection, wherever that is.
    `meta l4proto ${icmpNumber} return`,
    `${destinationOf(words)} @restricted${digit} jump sources${digit}`,
    `meta mark set ${destinationOf(words)} map @tier1v${digit} return`,
    `goto no_port${digit}`,
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
    `${counted("sourceRanges")} drop`,
  ];
}

/** An address all of whose ports are restricted answers those whom one of them admits. */
function ping({ ip, digit }: Words): string[] {
  return [
    NO_HOOK,
    `${ip} daddr != @guarded${digit} return`,
    `${ip} daddr . ${ip} saddr @admitted_ping${digit} return`,
    `${counted("sourceRanges")} drop`,
  ];
}

/** Frames to everybody (broadcast, flooded by multicast) are answered by nobody: each node would. */
const NOT_FOR_US = "meta pkttype != host drop";

function noPort(words: Words): string[] {
  return [
    NO_HOOK,
    counted("noPort"),
    NOT_FOR_US,
    `meta l4proto tcp ${LIMIT} reject with tcp reset`,
    `meta l4proto { udp, sctp } ${LIMIT} reject with ${words.unreachable.port}`,
    "drop",
  ];
}

function noAddress(words: Words): string[] {
  return [
    NO_HOOK,
    counted("noAddress"),
    NOT_FOR_US,
    `${LIMIT} reject with ${words.unreachable.address}`,
    "drop",
  ];
}

/**
 * From a tunnel, and no pod of the port here: never into a tunnel again, and to no process of the node. A new connection
 * is not refused. Its node may have heard of a pod earlier than this one, or later that it is gone: the client tries again
 * after a second, and then all have heard.
 */
function noPod(): string[] {
  return [
    NO_HOOK,
    counted("noPod"),
    "tcp flags & (syn | ack) == syn drop",
    `meta l4proto tcp ${LIMIT} reject with tcp reset`,
    "drop",
  ];
}

/** Rules of the prerouting chain that sets the routing bit. */
export function arrivals(): string[] {
  return BOTH.flatMap(({ ip, digit }) => [
    `${ip} daddr @vips${digit} goto ours${digit}`,
    // Only what would leave by the link that it came in by: that is where it is routed in a circle.
    `${ip} daddr . ${ip} saddr @routed${digit} fib daddr . iif oif exists goto no_address${digit}`,
  ]);
}

export interface GuardInput {
  /** The routing bit as nft writes it. */
  readonly bit: string;
  readonly knowsMembers: boolean;
  readonly nodeAddresses: NodeAddresses;
  /** What may come in; other tunnels are none of ours. */
  readonly taken: readonly Encapsulation[];
}

export function guards(wanted: GuardInput): Chains {
  const { bit, nodeAddresses } = wanted;
  const chains: Record<string, readonly string[]> = {};
  for (const words of BOTH) {
    const { digit } = words;
    chains[`sources${digit}`] = sources(words);
    chains[`ping${digit}`] = ping(words);
    chains[`no_port${digit}`] = noPort(words);
    chains[`no_address${digit}`] = noAddress(words);
    chains[`inner${digit}`] = inner(words, nodeAddresses);
    chains[`ours${digit}`] = ours(words, bit);
    chains[`leaving${digit}`] = leaving(words);
  }
  return { ...chains, no_pod: noPod(), decap: decap(wanted) };
}
