/**
 * The rules for a probe of the host's firewall (speaker/selfprobe). Its outer and its inner packet go from node address
 * to node address. It passes our tunnel like the packets that it stands for, and ends at the node itself. Pure.
 */
import { PORT } from "#api/names.ts";
import { type Encapsulation, matchesOf, outOf } from "#speaker/forwarding/encapsulation.ts";
import { BOTH, type Words } from "#speaker/forwarding/words.ts";
import { parseAddress } from "#speaker/netlink/bytes.ts";

export type NodeAddresses = { readonly IPv4?: string; readonly IPv6?: string };

interface Probed extends Words {
  readonly address: string;
}

function probed({ IPv4, IPv6 }: NodeAddresses): Probed[] {
  return BOTH.flatMap((words) => {
    const address = words.digit === "4" ? IPv4 : IPv6;
    return address === undefined ? [] : [{ ...words, address }];
  });
}

const isProbe = ({ ip, address }: Probed): string => `${ip} daddr ${address} udp dport ${PORT.probe}`;

/** Into our tunnel, as it comes from a link. */
export function probesIntoTunnel(
  addresses: NodeAddresses,
  knowsMembers: boolean,
  taken: readonly Encapsulation[],
): string[] {
  return probed(addresses).flatMap(({ ip, digit, family, tunnelEnd, address }) =>
    taken.map((kind) => {
      const { tunnelled, carried, carriedPort } = matchesOf(family, kind);
      const known = knowsMembers ? `${ip} saddr @members${digit} ` : "";
      const inside = `${carried} 0x${parseAddress(address).toString("hex")} ${carriedPort} ${PORT.probe}`;
      return `${tunnelled} ${ip} daddr ${address} ${known}${inside} ${ip} daddr set ${tunnelEnd}`;
    }),
  );
}

/** Out of the tunnel of these words. */
export function probesOutOfTunnel(addresses: NodeAddresses, digit: Words["digit"]): string[] {
  return probed(addresses)
    .filter((words) => words.digit === digit)
    .map((words) => `${isProbe(words)} accept`);
}

/** It gets the mark of the packets that it stands for, so that one rule of the host's firewall lets in both. */
export function probesMarked(
  addresses: NodeAddresses,
  bit: string,
  taken: readonly Encapsulation[],
): string[] {
  return probed(addresses).map(
    (words) => `iifname ${outOf(words.family, taken)} ${isProbe(words)} meta mark set meta mark or ${bit}`,
  );
}

/** To the node itself. */
export function probesArrived(addresses: NodeAddresses, taken: readonly Encapsulation[]): string[] {
  return probed(addresses).map((words) => `iifname ${outOf(words.family, taken)} ${isProbe(words)} return`);
}
