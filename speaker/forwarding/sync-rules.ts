/**
 * Who may tell this node of connections: the kernel's daemon takes what comes for its group from anybody. Pure. Reasons:
 * docs/dataplane.md, "Shared connections".
 */

import type { Family } from "#api/address.ts";
import { PORT } from "#api/names.ts";
import { COUNTERS } from "#speaker/forwarding/sets.ts";
import { BOTH } from "#speaker/forwarding/words.ts";
import type { DaemonRole } from "#speaker/netlink/ipvs-daemon.ts";

export type SyncRole = DaemonRole;

/**
 * The kernel's own default group: switches pass 224.0.0.x on to all ports, whoever joined. An IPv6 group of the link
 * would make the source a link-local address, which is nobody's among the members.
 */
export const SYNC_GROUP: Readonly<Record<Family, string>> = { IPv4: "224.0.0.81", IPv6: "ff05::81" };

/** Late: who is heard has come through the host's firewall, too. */
const HOOK = "type filter hook input priority 110; policy accept;";

/** `link`: of the node network; undefined: nobody may. */
export function syncRules(link: string | undefined, knowsMembers: boolean): string[] {
  return [
    HOOK,
    ...BOTH.flatMap(({ ip, digit }) => {
      const group = SYNC_GROUP[digit === "4" ? "IPv4" : "IPv6"];
      const isSync = `${ip} daddr ${group} udp dport ${PORT.sync}`;
      const drop = `${isSync} counter name ${COUNTERS.syncSource} drop`;
      if (link === undefined || !knowsMembers) return [drop];
      return [
        `${isSync} iifname "${link}" ${ip} saddr @members${digit} update @heard${digit} { ${ip} saddr } accept`,
        drop,
      ];
    }),
  ];
}
