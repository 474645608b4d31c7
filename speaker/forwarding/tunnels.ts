/**
 * Our own devices, at which tunnels between nodes end. Each has an outer address that nothing in the network has. Only
 * the chain `decap` writes it into a packet, after it has looked at the sender (docs/dataplane.md, "Tunnels of our
 * own"). The kernel's own devices (tunl0, ip6tnl0) take packets from everybody, and other programs use them, so they
 * are left alone.
 */
import { type Family, familyOf } from "#api/address.ts";
import type { SysctlFiles } from "#speaker/forwarding/sysctl.ts";
import type { Change } from "#speaker/forwarding/types.ts";
import { addAddress, listAddresses } from "#speaker/netlink/addr.ts";
import { parseAddress } from "#speaker/netlink/bytes.ts";
import { addLink, type Link, listLinks, removeLink, setLinkUp } from "#speaker/netlink/link.ts";
import type { NetlinkSocket } from "#speaker/netlink/socket.ts";

export interface TunnelLink {
  readonly name: string;
  readonly kind: string;
  /** Its outer address. That of IPv4 is link-local; that of IPv6 is in the prefix that routers discard (RFC 6666). */
  readonly local: string;
  readonly protocol?: number;
  /** Absent: the link needs none. */
  readonly address?: {
    readonly prefixLength: number;
    readonly scope: number;
    readonly isDeprecated?: boolean;
  };
}

const GLOBAL = 0;
const HOST = 254;
const IPV6_ALONE = 41;

/** Where ipip ends, and what the kernel takes GUE headers off. */
export const TUNNELS = {
  // The device has an address, because without one the reverse path filter drops what comes out of it.
  IPv4: {
    name: "genkan4",
    kind: "ipip",
    local: "169.254.77.77",
    address: { prefixLength: 32, scope: HOST },
  },
  IPv6: {
    name: "genkan6",
    kind: "ip6tnl",
    local: "100::7077",
    protocol: IPV6_ALONE,
    address: { prefixLength: 128, scope: GLOBAL, isDeprecated: true },
  },
} as const satisfies Readonly<Record<Family, TunnelLink>>;

const isAsWanted = (link: Link, { kind, local }: TunnelLink): boolean =>
  link.kind === kind && link.hardwareAddress === parseAddress(local).toString("hex");

/** Makes the devices as needed. Throws NetlinkError where the kernel has no such tunnel. */
export function raiseTunnels(socket: NetlinkSocket, sysctls: SysctlFiles): Change[] {
  return Object.values(TUNNELS).flatMap((tunnel) => raiseLink(socket, sysctls, tunnel));
}

/** The same for one of them. */
export function raiseLink(socket: NetlinkSocket, sysctls: SysctlFiles, tunnel: TunnelLink): Change[] {
  const changes: Change[] = [];
  const { name, kind, local, protocol, address } = tunnel;
  const link = (): Link | undefined => listLinks(socket).find((candidate) => candidate.name === name);
  let present = link();
  if (present !== undefined && !isAsWanted(present, tunnel)) {
    socket.change(removeLink(present));
    changes.push({ action: "remove", kind: "link", name });
    present = undefined;
  }
  if (present === undefined) {
    socket.change(addLink(name, kind, { local, ...(protocol !== undefined && { protocol }) }));
    changes.push({ action: "create", kind: "link", name });
    present = link();
  }
  if (present === undefined) return changes;
  if (!present.isUp) {
    socket.change(setLinkUp(present, true));
    changes.push({ action: "update", kind: "link", name });
  }
  const { index } = present;
  // A node without IPv6 takes no such address; nothing comes to it by IPv6 either.
  const isWithoutIPv6 = sysctls.read(`net.ipv6.conf.${name}.disable_ipv6`) === "1";
  if (address === undefined || (isWithoutIPv6 && familyOf(local) === "IPv6")) return changes;
  if (listAddresses(socket).some((own) => own.link === index && own.address === local)) return changes;
  socket.change(addAddress({ ...address, address: local, link: index }));
  changes.push({ action: "create", kind: "link", name: `${local} on ${name}` });
  return changes;
}

/** Removes the devices of ipip, with the addresses that they have. */
export function lowerTunnels(socket: NetlinkSocket): void {
  lowerLinks(
    socket,
    Object.values(TUNNELS).map(({ name }) => name),
  );
}

/** Removes links by name, with the addresses that they have. */
export function lowerLinks(socket: NetlinkSocket, names: readonly string[]): Change[] {
  const present = listLinks(socket).filter(({ name }) => names.includes(name));
  for (const link of present) socket.change(removeLink(link));
  return present.map(({ name }) => ({ action: "remove", kind: "link", name }));
}
