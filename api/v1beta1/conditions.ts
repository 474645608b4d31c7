/** Condition types, all of them, and how a list of conditions changes. Pure. */
import { GROUP } from "#api/names.ts";
import type { Reason } from "#api/v1beta1/reasons.ts";

/** What each says: condition-meanings.ts. */
export const ConditionType = {
  Available: "Available",
  Progressing: "Progressing",
  Degraded: "Degraded",
  Upgradeable: "Upgradeable",
  Valid: "Valid",
  Established: "Established",
  AllAdvertised: "AllAdvertised",
  Ready: "Ready",
  ForwardingReady: "ForwardingReady",
  AnnouncingReady: "AnnouncingReady",
  AllServed: "AllServed",
  InputsUsable: "InputsUsable",
  FirewallOpen: "FirewallOpen",
  MembersHeard: "MembersHeard",
  PathsClear: "PathsClear",
  HostSound: "HostSound",
  ConnectionsShared: "ConnectionsShared",
  ReceiverTold: "ReceiverTold",
  TunnelAsAsked: "TunnelAsAsked",
  Removed: "Removed",
  Contested: "Contested",
} as const;
export type ConditionType = (typeof ConditionType)[keyof typeof ConditionType];

/** Of Services, beside those of others. */
export const ServiceConditionType = {
  AddressAllocated: `${GROUP}/AddressAllocated`,
  ForwardingIds: `${GROUP}/ForwardingIds`,
} as const;
export type AnyConditionType =
  | ConditionType
  | (typeof ServiceConditionType)[keyof typeof ServiceConditionType];

/** Another writer keeps writing the same fields. The message names its field manager and says what to do. */
export const ContestedReason = {
  /** Of a Service's condition genkan.dev/AddressAllocated: status.loadBalancer. */
  StatusContested: "StatusContested",
  /** Of the LoadBalancer's condition Contested: an object that the operator made. */
  ChildContested: "ChildContested",
} as const satisfies Partial<Record<Reason, Reason>>;

/** Ours or somebody else's, as it is read. */
export interface Condition {
  type: string;
  status: "True" | "False" | "Unknown";
  /** CamelCase. */
  reason: string;
  message: string;
  /** RFC 3339. */
  lastTransitionTime: string;
  observedGeneration?: number;
}

/** One that we make. */
export interface NewCondition extends Omit<Condition, "lastTransitionTime"> {
  type: AnyConditionType;
  reason: Reason;
}

/**
 * The list with `next` in it, sorted by type. The time changes only with the status; where nothing changed the list
 * itself comes back, so that a caller can tell by identity that there is nothing to write.
 */
export function setCondition(
  conditions: readonly Condition[],
  next: NewCondition,
  now: Date,
): readonly Condition[] {
  const present = conditions.find((condition) => condition.type === next.type);
  if (
    present !== undefined &&
    present.status === next.status &&
    present.reason === next.reason &&
    present.message === next.message &&
    present.observedGeneration === next.observedGeneration
  ) {
    return conditions;
  }
  const lastTransitionTime =
    present?.status === next.status
      ? present.lastTransitionTime
      : now.toISOString().replace(/\.\d{3}Z$/, "Z");
  return [
    ...conditions.filter((condition) => condition.type !== next.type),
    { ...next, lastTransitionTime },
  ].sort((a, b) => (a.type < b.type ? -1 : 1));
}
