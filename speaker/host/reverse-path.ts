/**
 * Whether strict reverse path filtering (rp_filter 1) drops what arrives here: a packet from a client whose way back
 * leaves by another link, as it is where a node has two uplinks. The kernel counts what it drops and does not say by
 * which link it came, so what can be known is that it drops, and which links are strict. Pure.
 */
import type { Trouble } from "#speaker/apply.ts";

/** The counter in /proc/net/netstat, of IPv4; undefined: the text has none. */
export function reversePathDrops(netstat: string): number | undefined {
  const [names, values] = netstat.split("\n").filter((line) => line.startsWith("TcpExt:"));
  const at = names?.split(" ").indexOf("IPReversePathFilter") ?? -1;
  const text = at < 0 ? undefined : values?.split(" ")[at];
  return text === undefined || !/^\d+$/.test(text) ? undefined : Number(text);
}

/** ip-sysctl: the larger of `all` and the link's own counts; 1 is strict, 2 is loose. */
export const isStrict = (all: string | undefined, own: string | undefined): boolean =>
  Math.max(Number(all ?? 0), Number(own ?? 0)) === 1;

/** So many looks in a row have to see drops: one packet with a forged source is no fault. */
export const GROWN = 2;

/** `strict`: links with a strict filter, sorted. Without one nothing of this is to blame. */
export function reversePathTrouble(strict: readonly string[]): Trouble<"ReversePathDrops"> | undefined {
  if (strict.length === 0) return undefined;
  const all = ["all", ...strict].map((name) => `net.ipv4.conf.${name}.rp_filter=2`).join(" ");
  return {
    reason: "ReversePathDrops",
    message: `the kernel drops packets because their way back is by another link, for rp_filter is strict on ${strict.join(", ")}: let it be loose, "sysctl -w ${all}"`,
  };
}
