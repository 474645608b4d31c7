/**
 * How packets are carried to a pod of another node, and how a rule knows each way by its headers: `none` carries them as
 * they are, over one layer 2. Every node takes ipip; the others only where they are asked for. Pure.
 */
import type { Family } from "#api/address.ts";
import { PORT } from "#api/names.ts";
import { TUNNELS } from "#speaker/forwarding/tunnels.ts";
import { type DestinationTunnel, TUNNEL_CHECKSUM, TUNNEL_TYPE } from "#speaker/netlink/ipvs.ts";

/** With headers of its own. */
export type Encapsulation = "ipip" | "gre" | "gue";
/** As spec.forwarding.tunnel says it. */
export type Tunnel = Encapsulation | "none";
export const DEFAULT_TUNNEL = "ipip";

/** Links out of which packets come. The kernel hands what came by GUE to the link of ipip. */
export const GRE_LINKS: Readonly<Record<Family, string>> = { IPv4: "genkan-gre4", IPv6: "genkan-gre6" };

/** What its headers take beside the outer IP header: GRE's is 4 bytes (RFC 2784), UDP's 8, and GUE's 4 again. */
export const HEADER_BYTES: Readonly<Record<Tunnel, number>> = { none: 0, ipip: 0, gre: 4, gue: 12 };

/** How nft matches such packets, the destination of the packet inside, and the port of that if it has no options. */
export interface Matches {
  readonly tunnelled: string;
  readonly carried: string;
  readonly carriedPort: string;
}

/** Bits from the outer IP header on: where the destination is in an inner header, and the port behind that header. */
const INNER: Readonly<
  Record<Family, { readonly destination: number; readonly width: number; readonly port: number }>
> = {
  IPv4: { destination: 128, width: 32, port: 176 },
  IPv6: { destination: 192, width: 128, port: 336 },
};
/** ETH_P_IP and ETH_P_IPV6, with no flags; IP's numbers of IPv4 and IPv6 inside, in a GUE header of version 0. */
const GRE_HEADER: Readonly<Record<Family, string>> = { IPv4: "0x800", IPv6: "0x86dd" };
const GUE_HEADER: Readonly<Record<Family, string>> = { IPv4: "0x40000", IPv6: "0x290000" };
const NEXT: Readonly<Record<Family, string>> = { IPv4: "ip protocol", IPv6: "ip6 nexthdr" };
const IN_IP: Readonly<Record<Family, number>> = { IPv4: 4, IPv6: 41 };
const GRE = 47;

export function matchesOf(family: Family, kind: Encapsulation): Matches {
  const { destination, width, port } = INNER[family];
  const at = HEADER_BYTES[kind] * 8;
  const inner = {
    carried: `@th,${destination + at},${width}`,
    carriedPort: `@th,${port + at},16`,
  };
  switch (kind) {
    case "ipip":
      return { tunnelled: `${NEXT[family]} ${IN_IP[family]}`, ...inner };
    case "gre":
      return { tunnelled: `${NEXT[family]} ${GRE} @th,0,32 ${GRE_HEADER[family]}`, ...inner };
    case "gue":
      return { tunnelled: `udp dport ${PORT.tunnel} @th,64,32 ${GUE_HEADER[family]}`, ...inner };
  }
}

/** Names of the links out of which packets of a family come, as nft writes them. */
export function outOf(family: Family, taken: readonly Encapsulation[]): string {
  const own = TUNNELS[family].name;
  return taken.includes("gre") ? `{ "${own}", "${GRE_LINKS[family]}" }` : `"${own}"`;
}

/** What IPVS is told of it; undefined for ipip. UDP without a checksum is lost in IPv6 (RFC 8200 section 8.1). */
export function destinationTunnel(
  family: Family,
  kind: Encapsulation = DEFAULT_TUNNEL,
): DestinationTunnel | undefined {
  switch (kind) {
    case "ipip":
      return undefined;
    case "gre":
      return { type: TUNNEL_TYPE.gre, port: 0, checksum: TUNNEL_CHECKSUM.none };
    case "gue":
      return {
        type: TUNNEL_TYPE.gue,
        port: PORT.tunnel,
        checksum: family === "IPv4" ? TUNNEL_CHECKSUM.none : TUNNEL_CHECKSUM.full,
      };
  }
}
