/** The kernel's own tunnel devices: up, and known to the reverse path filter. */
import type { Change } from "#speaker/forwarding/types.ts";
import { addAddress, type LinkAddress, listAddresses, removeAddress } from "#speaker/netlink/addr.ts";
import { isErrno } from "#speaker/netlink/error.ts";
import { addLink, type Link, listLinks, setLinkUp } from "#speaker/netlink/link.ts";
import type { NetlinkSocket } from "#speaker/netlink/socket.ts";

const TUNNELS = [
  { name: "tunl0", kind: "ipip" },
  { name: "ip6tnl0", kind: "ip6tnl" },
] as const;
/** Any address will do: without one the reverse path filter drops what comes out of the device. Host scope. */
const ADDRESS = { address: "169.254.77.77", prefixLength: 32, scope: 254 } as const;

/** Asking for a device of the kind makes the kernel load the module, which then makes the device by itself. */
function find(socket: NetlinkSocket, name: string, kind: string): Link | undefined {
  const present = listLinks(socket).find((link) => link.name === name);
  if (present !== undefined) return present;
  try {
    socket.change(addLink(name, kind));
  } catch (error) {
    if (!isErrno(error, "EEXIST")) throw error;
  }
  return listLinks(socket).find((link) => link.name === name);
}

/** `link.tunl0=down` for what is not up yet: to be remembered before it is changed. */
export function tunnelsToSave(socket: NetlinkSocket): string[] {
  return TUNNELS.flatMap(({ name, kind }) =>
    find(socket, name, kind)?.isUp === false ? [`link.${name}=down`] : [],
  );
}

/** Makes them as needed; throws NetlinkError where the kernel has no such tunnel. */
export function raiseTunnels(socket: NetlinkSocket): Change[] {
  const changes: Change[] = [];
  for (const { name, kind } of TUNNELS) {
    const link = find(socket, name, kind);
    if (link === undefined || link.isUp) continue;
    socket.change(setLinkUp(link, true));
    changes.push({ action: "update", kind: "link", name });
  }
  const tunnel = find(socket, "tunl0", "ipip");
  if (tunnel === undefined) return changes;
  const own = listAddresses(socket).filter(
    (address) => address.link === tunnel.index && !address.address.includes(":"),
  );
  if (own.length > 0) return changes;
  socket.change(addAddress({ ...ADDRESS, link: tunnel.index } as LinkAddress));
  changes.push({ action: "create", kind: "link", name: `${ADDRESS.address} on tunl0` });
  return changes;
}

/** The other way round: our address away, down what was down. */
export function lowerTunnels(socket: NetlinkSocket, saved: ReadonlyMap<string, string>): void {
  const links = listLinks(socket);
  const tunnel = links.find((link) => link.name === "tunl0");
  const own = listAddresses(socket).find(
    (one) => one.link === tunnel?.index && one.address === ADDRESS.address,
  );
  if (own !== undefined) socket.change(removeAddress(own));
  for (const { name } of TUNNELS) {
    const link = links.find((candidate) => candidate.name === name);
    if (link?.isUp === true && saved.get(`link.${name}`) === "down") socket.change(setLinkUp(link, false));
  }
}
