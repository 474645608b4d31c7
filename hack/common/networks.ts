/**
 * Network namespaces, cables (veth) and bridges as lines of shell: the one way in which tests, benches and the lab make
 * them, on this machine or in a guest. Pure.
 */

/** One end of a cable. */
export interface End {
  /** Where it is; this machine's own namespace where absent. */
  readonly namespace?: string;
  readonly link: string;
  /** A hardware address; the kernel's choice where absent. */
  readonly hardware?: string;
  /** With prefix lengths. Those of IPv6 are usable at once: duplicate address detection takes two seconds. */
  readonly addresses?: readonly string[];
  /** The bridge that it is a port of. */
  readonly bridge?: string;
}

const inside = (namespace: string | undefined): string =>
  namespace === undefined ? "ip" : `ip -n ${namespace}`;

/** A namespace in which loopback works; `sysctls` are `net.x=y`. */
export function namespaceLines(name: string, sysctls: readonly string[] = []): string[] {
  return [`ip netns add ${name}`, ...sysctlLines(name, sysctls), `ip -n ${name} link set lo up`];
}

export const sysctlLines = (namespace: string, sysctls: readonly string[]): string[] =>
  sysctls.length === 0 ? [] : [`nsenter --net=/run/netns/${namespace} sysctl -qw ${sysctls.join(" ")}`];

/** `options` are those of ip-link(8) for a bridge. */
export function bridgeLines(
  { namespace, link, addresses = [] }: Omit<End, "bridge" | "hardware">,
  options = "",
): string[] {
  const ip = inside(namespace);
  return [
    `${ip} link add ${link} type bridge ${options}`.trimEnd(),
    ...addressLines({ link, addresses, ...(namespace !== undefined && { namespace }) }),
    `${ip} link set ${link} up`,
  ];
}

/** A cable whose ends are both up, and have their addresses. */
export function cableLines(one: End, other: End): string[] {
  const place = ({ namespace, link, hardware }: End): string =>
    `${link}${hardware === undefined ? "" : ` address ${hardware}`}${namespace === undefined ? "" : ` netns ${namespace}`}`;
  return [
    `ip link add ${place(one)} type veth peer name ${place(other)}`,
    ...[one, other].flatMap((end) => [
      `${inside(end.namespace)} link set ${end.link}${end.bridge === undefined ? "" : ` master ${end.bridge}`} up`,
      ...addressLines(end),
    ]),
  ];
}

function addressLines({ namespace, link, addresses = [] }: End): string[] {
  return addresses.map((address) => {
    const flag = address.includes(":") ? " nodad" : "";
    return `${inside(namespace)} addr add ${address} dev ${link}${flag}`;
  });
}

/** `via` are routers of either family; a route goes by the one of its own family. */
export function routeLines(namespace: string, networks: readonly string[], via: readonly string[]): string[] {
  return networks.flatMap((network) => {
    const router = via.find((one) => one.includes(":") === network.includes(":"));
    return router === undefined ? [] : [`ip -n ${namespace} route add ${network} via ${router}`];
  });
}

/** Never fails: there may be none. */
export const removeNamespaceLine = (name: string): string => `ip netns del ${name} 2>/dev/null || true`;
export const removeLinkLine = (name: string): string => `ip link del ${name} 2>/dev/null || true`;
