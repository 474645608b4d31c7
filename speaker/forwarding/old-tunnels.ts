/**
 * Builds before 2026-12 raised the kernel's own tunnel devices and gave tunl0 an address. What they changed is put back,
 * unless somebody else has come to use the device since.
 */
import type { SysctlFiles } from "#speaker/forwarding/sysctl.ts";
import { TUNNELS } from "#speaker/forwarding/tunnels.ts";
import type { Change } from "#speaker/forwarding/types.ts";
import { listAddresses, removeAddress } from "#speaker/netlink/addr.ts";
import { listLinks, setLinkUp } from "#speaker/netlink/link.ts";
import type { NetlinkSocket } from "#speaker/netlink/socket.ts";

const LINKS = ["tunl0", "ip6tnl0"] as const;
const RP_FILTER = "net.ipv4.conf.tunl0.rp_filter";
const SCOPE_LINK = 253;

/** Whether a remembered value is of what those builds changed. */
export const isOfOldTunnels = (name: string): boolean =>
  name === RP_FILTER || LINKS.some((link) => name === `link.${link}`);

/** `saved` holds what was remembered before the change. If it has nothing about these devices, nothing is done. */
export function restoreOldTunnels(
  socket: NetlinkSocket,
  sysctls: SysctlFiles,
  saved: ReadonlyMap<string, string>,
): Change[] {
  const changes: Change[] = [];
  if (![...saved.keys()].some(isOfOldTunnels)) return changes;
  const links = listLinks(socket).filter(({ name }) => LINKS.some((link) => link === name));
  for (const link of links) {
    const addresses = listAddresses(socket).filter((own) => own.link === link.index);
    const ours = addresses.filter((own) => own.address === TUNNELS.IPv4.local);
    for (const own of ours) {
      socket.change(removeAddress(own));
      changes.push({ action: "remove", kind: "link", name: `${own.address} on ${link.name}` });
    }
    // The kernel gives a device that is up link-local addresses by itself.
    if (addresses.some((own) => !ours.includes(own) && own.scope !== SCOPE_LINK)) {
      changes.push({ action: "keep", kind: "link", name: link.name });
      continue;
    }
    if (link.name === "tunl0") restoreFilter(sysctls, saved, changes);
    if (!link.isUp || saved.get(`link.${link.name}`) !== "down") continue;
    socket.change(setLinkUp(link, false));
    changes.push({ action: "update", kind: "link", name: link.name });
  }
  return changes;
}

function restoreFilter(sysctls: SysctlFiles, saved: ReadonlyMap<string, string>, changes: Change[]): void {
  const value = saved.get(RP_FILTER);
  const present = sysctls.read(RP_FILTER);
  if (value === undefined || present === undefined || present === value) return;
  sysctls.write(RP_FILTER, value);
  changes.push({ action: "update", kind: "sysctl", name: RP_FILTER });
}
