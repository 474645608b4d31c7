/** What is between a probe's outer IP header and its inner packet, by the tunnel that it goes by. Pure. */
import type { Family } from "#api/address.ts";
import { PORT } from "#api/names.ts";
import { type Encapsulation, HEADER_BYTES } from "#speaker/forwarding/encapsulation.ts";
import { LOAD_HALF, type Match } from "#speaker/native/filter.ts";
import { parseAddress } from "#speaker/netlink/bytes.ts";
import { internetChecksum } from "../checksum.ts";

/** IP in IP, IPv6 in IPv6 (RFC 2003, RFC 2473), GRE (RFC 2784), UDP. */
const IN_IP: Readonly<Record<Family, number>> = { IPv4: 4, IPv6: 41 };
const ETHERTYPE: Readonly<Record<Family, number>> = { IPv4: 0x0800, IPv6: 0x86dd };
const GRE = 47;
const UDP = 17;

/** Of the outer IP header. */
export function protocolOf(family: Family, kind: Encapsulation): number {
  if (kind === "ipip") return IN_IP[family];
  return kind === "gre" ? GRE : UDP;
}

/** Where the inner packet begins, behind the outer IP header. */
export const innerAt = (kind: Encapsulation): number => HEADER_BYTES[kind];

/** What a firewall is told about it: nft's words, and those of iptables. */
export function firewallWords(
  family: Family,
  kind: Encapsulation,
): { readonly nft: string; readonly iptables: string } {
  if (kind === "gue") return { nft: `udp dport ${PORT.tunnel}`, iptables: `-p udp --dport ${PORT.tunnel}` };
  const protocol = protocolOf(family, kind);
  return { nft: `meta l4proto ${protocol}`, iptables: `-p ${protocol}` };
}

/** For people. */
export const carrierName = (family: Family, kind: Encapsulation): string =>
  kind === "gue" ? `UDP port ${PORT.tunnel}` : `IP protocol ${protocolOf(family, kind)}`;

/** Matches the header at `at`, as far as it says that a packet of the family is inside. */
export function carrierMatches(family: Family, kind: Encapsulation, at: number): Match[] {
  if (kind === "ipip") return [];
  if (kind === "gre")
    return [
      { load: LOAD_HALF, offset: at, value: 0 },
      { load: LOAD_HALF, offset: at + 2, value: ETHERTYPE[family] },
    ];
  return [
    { load: LOAD_HALF, offset: at + 2, value: PORT.tunnel },
    { load: LOAD_HALF, offset: at + 8, value: IN_IP[family] },
  ];
}

/** All that follows the outer IP header, which the kernel makes. */
export function carry(
  { family, kind, from, to }: { family: Family; kind: Encapsulation; from: string; to: string },
  inner: Buffer,
): Buffer {
  const header = Buffer.alloc(HEADER_BYTES[kind]);
  const packet = Buffer.concat([header, inner]);
  if (kind === "gre") packet.writeUInt16BE(ETHERTYPE[family], 2);
  if (kind === "gue") {
    for (const [at, value] of [PORT.tunnel, PORT.tunnel, packet.length].entries())
      packet.writeUInt16BE(value, 2 * at);
    packet.writeUInt16BE(IN_IP[family], 8);
    const pseudo = Buffer.from([0, UDP, packet.length >>> 8, packet.length & 0xff]);
    packet.writeUInt16BE(internetChecksum(parseAddress(from), parseAddress(to), pseudo, packet) || 0xffff, 6);
  }
  return packet;
}
