/** Whether the kernel's table of tracked connections has room: a full one drops each new connection. Pure. */
import type { Trouble } from "#speaker/apply.ts";

/** What /proc/sys/net/netfilter says: nf_conntrack_count and nf_conntrack_max. */
export interface Conntrack {
  readonly count: number;
  readonly max: number;
}

/** Named from this share on, and until it falls below the other one, so that a table at the edge is named once. */
const FULL = 0.95;
const ROOMY = 0.9;

/** `wasFull`: it was named before. undefined: there is room, or no table, or no limit. */
export function conntrackTrouble(
  table: Conntrack | undefined,
  wasFull: boolean,
): Trouble<"ConntrackFull"> | undefined {
  if (table === undefined || table.max <= 0) return undefined;
  const { count, max } = table;
  if (count < max * (wasFull ? ROOMY : FULL)) return undefined;
  return {
    reason: "ConntrackFull",
    message: `the kernel's table of tracked connections (conntrack) is full or nearly so, and a full one drops new connections: net.netfilter.nf_conntrack_max is ${max}`,
  };
}
