/** Which next hops prefixes are told with: this node, as the peer reaches it. Pure. */
import type { Family } from "#api/address.ts";

export type NextHops = Readonly<Partial<Record<Family, readonly string[]>>>;

/**
 * Of the connection's own family its own address; of the other family this node's, as configured. Over a link-local
 * connection IPv6 has the node's address first (RFC 2545 section 3), and IPv4 goes with IPv6 next hops where the peer
 * takes them (RFC 8950). A family without a next hop is not told.
 */
export function nextHopsOf(
  local: string,
  configured: Readonly<Partial<Record<Family, string>>>,
  takesExtended: boolean,
): NextHops {
  const isIpv6 = local.includes(":");
  const ipv6 = isIpv6 ? ipv6Of(local, configured.IPv6) : listOf(configured.IPv6);
  const ipv4 = isIpv6 ? (takesExtended ? ipv6 : listOf(configured.IPv4)) : [local];
  return { ...(ipv4 !== undefined && { IPv4: ipv4 }), ...(ipv6 !== undefined && { IPv6: ipv6 }) };
}

function ipv6Of(local: string, global: string | undefined): readonly string[] {
  const isLinkLocal = /^fe[89ab]/.test(local);
  return isLinkLocal && global !== undefined ? [global, local] : [local];
}

function listOf(address: string | undefined): readonly string[] | undefined {
  return address === undefined ? undefined : [address];
}
