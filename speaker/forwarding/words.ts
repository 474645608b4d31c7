/** What the two families call the same thing in nft's language. */
import type { Family } from "#api/address.ts";
import { TUNNELS } from "#speaker/forwarding/tunnels.ts";

export interface Words {
  readonly ip: "ip" | "ip6";
  readonly digit: "4" | "6";
  readonly nfproto: "ipv4" | "ipv6";
  readonly family: Family;
  /** Where our tunnels end; in no packet on a wire. */
  readonly tunnelEnd: string;
  readonly icmp: "icmp" | "icmpv6";
  /** As an IP protocol: nft asks /etc/protocols for most names, and the image has no such file. */
  readonly icmpNumber: 1 | 58;
  /** Matches an ICMP error about a packet of ours, and its inner protocol and source port. */
  readonly error: string;
  readonly inner: string;
  readonly unreachable: { readonly port: string; readonly address: string };
}

export const V4: Words = {
  ip: "ip",
  digit: "4",
  nfproto: "ipv4",
  family: "IPv4",
  tunnelEnd: TUNNELS.IPv4.local,
  icmp: "icmp",
  icmpNumber: 1,
  error: "icmp type { destination-unreachable, time-exceeded }",
  inner: "@th,136,8 . @th,224,16",
  unreachable: { port: "icmp type port-unreachable", address: "icmp type host-unreachable" },
};
export const V6: Words = {
  ip: "ip6",
  digit: "6",
  nfproto: "ipv6",
  family: "IPv6",
  tunnelEnd: TUNNELS.IPv6.local,
  icmp: "icmpv6",
  icmpNumber: 58,
  error: "icmpv6 type { packet-too-big, destination-unreachable, time-exceeded }",
  inner: "@th,112,8 . @th,384,16",
  unreachable: { port: "icmpv6 type port-unreachable", address: "icmpv6 type addr-unreachable" },
};
export const BOTH = [V4, V6] as const;

/** In place of a hook: the kernel does not run the chain by itself. */
export const NO_HOOK = "";

/** The priority that packets come with. It says nothing of where a packet comes from or goes to. */
export const NO_PRIORITY = "meta priority set none";

/** The key of sets and maps of ports, of a packet that is for one of them. */
export const destinationOf = ({ ip }: Words): string => `${ip} daddr . meta l4proto . th dport`;
