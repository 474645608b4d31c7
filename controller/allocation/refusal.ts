/** Why a Service does not get, or may not keep, an address: a reason for machines, a message for people. */

import { printable } from "#api/printable.ts";
import type { Reason } from "#api/v1beta1/reasons.ts";

/** CamelCase, shown as the condition's reason and in events. */
export const RefusalReason = {
  /** Two ways of asking for addresses at once, or two spellings of one annotation that differ. */
  ConflictingRequest: "ConflictingRequest",
  /** Asked for something that is no address. */
  InvalidAddress: "InvalidAddress",
  /** Asked for an address of a family that the Service does not have, or for two of one family. */
  FamilyMismatch: "FamilyMismatch",
  /** It has more ports than one Service may have: each costs kernel memory on every node. */
  TooManyPorts: "TooManyPorts",
  /** The pool that was asked for does not exist. */
  UnknownPool: "UnknownPool",
  /** The pool's own configuration is not valid: it gives no new addresses. */
  InvalidPool: "InvalidPool",
  /** The pool's serviceAllocation does not admit the Service. */
  PoolNotAllowed: "PoolNotAllowed",
  /** The pool has no range of the family. */
  FamilyNotInPool: "FamilyNotInPool",
  /** No pool gives addresses to this Service by itself. */
  NoMatchingPool: "NoMatchingPool",
  /** Every pool that may serve it is full. */
  PoolExhausted: "PoolExhausted",
  /** The namespace has as many addresses of the pool as it may have. */
  QuotaExceeded: "QuotaExceeded",
  /** The address is in no pool, or not in the pool that was asked for. */
  AddressNotInPool: "AddressNotInPool",
  /** A pool has the address in its ranges, and spec.avoidBuggyIPs leaves it out. */
  AddressAvoided: "AddressAvoided",
  /** A pool has the address in its ranges, and it is the subnet-router anycast address (RFC 4291 section 2.6.1). */
  SubnetRouterAddress: "SubnetRouterAddress",
  /** A pool has the address in its ranges, and the cluster itself uses it: a Node, or as a Service's or Pod's. */
  AddressReserved: "AddressReserved",
  /** Another Service holds the address, and one of the two shares with nobody. */
  AddressInUse: "AddressInUse",
  /** Another Service holds the address under the same or another sharing key, and they cannot be together. */
  SharingConflict: "SharingConflict",
  /** The Service asks for another address or pool than it has. */
  NotRequested: "NotRequested",
} as const satisfies Partial<Record<Reason, Reason>>;
export type RefusalReason = (typeof RefusalReason)[keyof typeof RefusalReason];

export interface Refusal {
  readonly reason: RefusalReason;
  /** Names the field, its value and the rule. */
  readonly message: string;
}

/** Messages hold texts of users: annotations, keys, names. */
export function refuse(reason: RefusalReason, message: string): Refusal {
  return { reason, message: printable(message) };
}
