/** Addresses that a node's tunnels come from, beside its own: what its CNI says of them. Pure. */
import { type Address, formatAddress, parseLinkAddress } from "#api/address.ts";

/** Where CNIs write the addresses of devices that are not Ethernet links, or not the node's own. */
const ANNOTATIONS = [
  "projectcalico.org/IPv4Address",
  "projectcalico.org/IPv6Address",
  "projectcalico.org/IPv4IPIPTunnelAddr",
  "projectcalico.org/IPv4VXLANTunnelAddr",
  "projectcalico.org/IPv6VXLANTunnelAddr",
  "projectcalico.org/IPv4WireguardInterfaceAddr",
  "projectcalico.org/IPv6WireguardInterfaceAddr",
  "network.cilium.io/ipv4-cilium-host",
  "network.cilium.io/ipv6-cilium-host",
] as const;
const MAX_POD_PREFIXES = 8;

/**
 * From a node's annotations, and the first two addresses of its pods' prefixes, as flannel (.0) and bridges (.1) have
 * them. A text that is no address, or no prefix, is left out.
 */
export function tunnelSourcesOf(
  annotations: Readonly<Record<string, unknown>>,
  podPrefixes: readonly unknown[],
): string[] {
  const said = ANNOTATIONS.flatMap((name) => addressOf(annotations[name]) ?? []);
  const gateways = podPrefixes.slice(0, MAX_POD_PREFIXES).flatMap((prefix) => {
    const first = addressOf(prefix);
    return first === undefined ? [] : [first, { ...first, value: first.value + 1n }];
  });
  return [...said, ...gateways].map(formatAddress);
}

function addressOf(value: unknown): Address | undefined {
  return typeof value === "string" ? parseLinkAddress(value) : undefined;
}
