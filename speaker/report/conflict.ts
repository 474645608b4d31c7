/** Conflicts over addresses as messages, and as the trouble of a condition. Pure. */
import { andMore } from "#api/and-more.ts";
import type { Trouble } from "../apply.ts";
import type { Conflict } from "../layer2/messages.ts";

/** 12 hex digits -> `02:00:00:00:00:01`. */
export const hardwareText = (hardware: string): string => hardware.match(/../g)?.join(":") ?? "";

export function conflictText({ link, vip, station, state }: Conflict): string {
  const what = `a station that is no node of this cluster, ${hardwareText(station)}, uses ${vip} on link ${link}, too`;
  return state === "yielded"
    ? `${what}: the address is left to it and not answered for`
    : `${what}: clients may be sent there`;
}

/** The first conflict in full, and how many more there are. Addresses that this node does not answer for come first. */
export function conflictTrouble(conflicts: readonly Conflict[]): Trouble<"AddressConflict"> | undefined {
  const order = ({ state, link, vip }: Conflict): string =>
    `${state === "yielded" ? "0" : "1"} ${vip} ${link}`;
  let first: Conflict | undefined;
  for (const one of conflicts) if (first === undefined || order(one) < order(first)) first = one;
  if (first === undefined) return undefined;
  return { reason: "AddressConflict", message: `${conflictText(first)}${andMore(conflicts.length - 1)}` };
}
