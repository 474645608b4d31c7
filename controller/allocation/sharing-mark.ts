/**
 * How a Service shared when it got its addresses, as a word of its condition of forwarding ids, where only the controller
 * may write. A controller that starts anew knows by it who has changed his key, his selector or his policy since: the
 * address stays with those who have not. Pure.
 */
import { hash } from "node:crypto";
import { FORWARDING_CONDITION } from "#api/forwarding-ids.ts";
import type { Condition } from "#api/v1beta1/conditions.ts";
import type { Sharing } from "#controller/allocation/request.ts";

/** Nobody finds a second key with the digits of the one that he shares by. */
const DIGITS = 32;

/** undefined: it shares with nobody. */
export function sharingMark(sharing: Sharing | undefined): string | undefined {
  if (sharing === undefined) return undefined;
  return hash("sha256", JSON.stringify([sharing.key, sharing.backend]), "hex").slice(0, DIGITS);
}

/** undefined: it shared with nobody, or the condition is of a controller that wrote no mark. */
export function sharingMarkOf(conditions: readonly Condition[]): string | undefined {
  const message = conditions.find(({ type }) => type === FORWARDING_CONDITION)?.message;
  return message === undefined ? undefined : / sharing=([0-9a-f]{32})$/.exec(message)?.[1];
}
