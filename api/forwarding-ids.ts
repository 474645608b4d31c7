/**
 * Forwarding ids, as the controller gives them and speakers read them: a number for each port and family of a Service
 * that has an address, the same on every node (speakers turn it into firewall marks: speaker/forwarding/mark.ts).
 *
 * They are kept in a condition of the Service's status. Whoever edits Services may write every annotation and label,
 * but not the status: ids in an annotation let one tenant take over the traffic of another.
 */
import type { Family } from "#api/address.ts";
import { type NewCondition, ServiceConditionType } from "#api/v1beta1/conditions.ts";

/** Condition of a Service that has addresses: status True; the message names the pools and has the ids. */
export const FORWARDING_CONDITION = ServiceConditionType.ForwardingIds;
const REASON = "Assigned";
const REASON_WITHDRAWN = "Withdrawn";
/** 18 bits: docs/dataplane.md, "Marks that get along with others". */
export const MAX_FORWARDING_ID = 2 ** 18 - 1;

/** `IPv4/TCP/80` -> id, 1 to MAX_FORWARDING_ID, unique in the cluster. */
export type ForwardingIds = Readonly<Record<string, number>>;

/** Of no Service, and of one whose condition cannot be read. */
export const NO_IDS: ForwardingIds = Object.freeze({});

/** `port`: `TCP/80`. */
export function idKey(family: Family, port: string): string {
  return `${family}/${port}`;
}

/** The condition of a Service that has addresses of these pools; `sharing`: controller/allocation/sharing-mark.ts. */
export function forwardingCondition(
  pools: readonly string[],
  ids: ForwardingIds,
  sharing?: string,
): NewCondition {
  return {
    type: FORWARDING_CONDITION,
    status: "True",
    reason: REASON,
    message: `${formatForwarding(pools, ids)}${sharing === undefined ? "" : ` sharing=${sharing}`}`,
  };
}

/** The condition of a Service that is being deleted, once its addresses were taken back: it has no ids. */
export const WITHDRAWN_CONDITION: NewCondition = {
  type: FORWARDING_CONDITION,
  status: "False",
  reason: REASON_WITHDRAWN,
  message: "The Service is being deleted: its addresses have been taken back",
};

/** Whether that was done. */
export function isWithdrawn(
  conditions: ReadonlyArray<{ readonly type: string; readonly reason: string }>,
): boolean {
  return conditions.some(({ type, reason }) => type === FORWARDING_CONDITION && reason === REASON_WITHDRAWN);
}

/** `AddressPool "a": IPv4/TCP/80=17 IPv6/TCP/80=18`, sorted: equal ids of equal pools are equal text. */
export function formatForwarding(pools: readonly string[], ids: ForwardingIds): string {
  const names = pools.map((name) => `"${name}"`).join(", ");
  const list = Object.entries(ids).map(([key, id]) => `${key}=${id}`);
  return `AddressPool ${names}: ${list.sort().join(" ")}`;
}

/** The ids in a Service's conditions. Words of the message that are no id are ignored. */
export function forwardingIdsOf(
  conditions: ReadonlyArray<{ readonly type: string; readonly message?: string }> | undefined,
): ForwardingIds {
  const message = conditions?.find(({ type }) => type === FORWARDING_CONDITION)?.message;
  if (message === undefined) return NO_IDS;
  const ids: Record<string, number> = {};
  for (const word of message.split(" ")) {
    const found = /^(IPv[46]\/(?:TCP|UDP|SCTP)\/\d{1,5})=(\d{1,9})$/.exec(word);
    const id = Number(found?.[2]);
    if (found?.[1] !== undefined && id >= 1 && id <= MAX_FORWARDING_ID) ids[found[1]] = id;
  }
  return ids;
}
