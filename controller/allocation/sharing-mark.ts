/**
 * How a Service shared its addresses when it got them, kept as one word of the condition that has its forwarding ids:
 * only the controller may write there. A new controller sees by it which Services changed their key, selector or policy
 * since; the address stays with those that did not. Pure.
 */
import { hash } from "node:crypto";
import { FORWARDING_CONDITION } from "#api/forwarding-ids.ts";
import type { Condition } from "#api/v1beta1/conditions.ts";
import type { Sharing } from "#controller/allocation/request.ts";

/** 128 bits: nobody finds a second key with the same digits. */
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
