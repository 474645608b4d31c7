/**
 * Whether the kernel's table of tracked connections has room: a full one drops each new connection. Above 95 % the
 * kernel takes connections without an answer out until it is just below, within a second of its being full. So a flood
 * that fills the table again and again is seldom seen in its size, but always in what the kernel counts as dropped. Pure.
 */
import type { Trouble } from "#speaker/apply.ts";

/** What /proc/sys/net/netfilter says: nf_conntrack_count and nf_conntrack_max. */
export interface Conntrack {
  readonly count: number;
  readonly max: number;
}

/** Named from this share on, and until it falls below the other one, so that a table at the edge is named once. */
const FULL = 0.95;
const ROOMY = 0.9;

/**
 * What had no room, of all processors: packets of new connections, and unanswered connections that made room for them.
 * `stat` is /proc/net/stat/nf_conntrack, numbers in hexadecimal, a line for each processor; undefined: it has no such
 * counters, as where the kernel was built without them.
 */
export function conntrackDrops(stat: string): number | undefined {
  const [names, ...processors] = stat.split("\n").map((line) => line.trim().split(/\s+/));
  const columns = ["drop", "early_drop"].map((name) => names?.indexOf(name) ?? -1);
  if (columns.some((at) => at < 0) || processors.length === 0) return undefined;
  const counts = processors.flatMap((values) => columns.map((at) => Number.parseInt(values[at] ?? "", 16)));
  return counts.some(Number.isNaN) ? undefined : counts.reduce((sum, count) => sum + count, 0);
}

/**
 * `isDropping`: it has dropped something of late. `wasFull`: it was named before. undefined: there is room, or no
 * table, or no limit.
 */
export function conntrackTrouble(
  table: Conntrack | undefined,
  { isDropping, wasFull }: { readonly isDropping: boolean; readonly wasFull: boolean },
): Trouble<"ConntrackFull"> | undefined {
  if (table === undefined || table.max <= 0) return undefined;
  const { count, max } = table;
  if (!isDropping && count < max * (wasFull ? ROOMY : FULL)) return undefined;
  return {
    reason: "ConntrackFull",
    message: `the kernel's table of tracked connections (conntrack) is full or nearly so, and a full one drops new connections: net.netfilter.nf_conntrack_max is ${max}`,
  };
}
