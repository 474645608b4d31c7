/** Condition types and reasons, all of them, and how a list of conditions changes. Pure. */

export const ConditionType = {
  /** LoadBalancer: everything that it asks for runs. */
  Available: "Available",
  Progressing: "Progressing",
  Degraded: "Degraded",
  Upgradeable: "Upgradeable",
  /** All kinds that users write: the rules of admission hold; the message is the webhook's own words. */
  Valid: "Valid",
  /** BGPPeer: every session that should be is established. */
  Established: "Established",
  /** SpeakerStatus. */
  Ready: "Ready",
  ForwardingReady: "ForwardingReady",
  AnnouncingReady: "AnnouncingReady",
  /** SpeakerStatus: nothing that Services' status has is left out. A fault of one Service alone: the node stays Ready. */
  AllServed: "AllServed",
  /** SpeakerStatus: no object of the API that the speaker reads is left out; the message names the first that is. */
  InputsUsable: "InputsUsable",
  /** SpeakerStatus: what other nodes tunnel to this one comes through its host firewall (a self-probe). */
  FirewallOpen: "FirewallOpen",
  Removed: "Removed",
  /** LoadBalancer: somebody else keeps writing what the operator writes. Shown from the first time on. */
  Contested: "Contested",
} as const;
export type ConditionType = (typeof ConditionType)[keyof typeof ConditionType];

/** Somebody else keeps writing the same fields; the message has his field manager and what to do. */
export const ContestedReason = {
  /** Of a Service's condition genkan.dev/AddressAllocated: status.loadBalancer. */
  StatusContested: "StatusContested",
  /** Of the LoadBalancer's condition Contested: an object that the operator made. */
  ChildContested: "ChildContested",
} as const;

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

/**
 * The list with `next` in it, sorted by type. The time changes only with the status; where nothing changed the list
 * itself comes back, so that a caller can tell by identity that there is nothing to write.
 */
export function setCondition(
  conditions: readonly Condition[],
  next: Omit<Condition, "lastTransitionTime">,
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
