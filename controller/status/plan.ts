/** What became of a Service -> what to write to it and what to say about it. Pure; nothing to do is undefined. */
import { FORWARDING_CONDITION, forwardingCondition } from "#api/forwarding-ids.ts";
import { ANNOTATION_ALLOCATED_FROM, CLEANUP_FINALIZER } from "#api/names.ts";
import { ContestedReason, ServiceConditionType, setCondition } from "#api/v1beta1/conditions.ts";
import type { EventReason } from "#api/v1beta1/event-reasons.ts";
import type { Reason } from "#api/v1beta1/reasons.ts";
import { withoutOurs } from "#common/cleanup-finalizer.ts";
import type { Outcome } from "#controller/allocation/allocator.ts";
import type { Allocation, Vip } from "#controller/allocation/ledger.ts";
import { type Refusal, RefusalReason } from "#controller/allocation/refusal.ts";
import {
  type Ingress,
  isMarked,
  type ServiceCondition,
  type ServiceRecord,
} from "#controller/allocation/service.ts";
import { sharingMark } from "#controller/allocation/sharing-mark.ts";
import type { Contest } from "#controller/status/contested.ts";
import { isWithKubeProxy } from "#controller/status/handover.ts";
import { contestedMessage } from "#controller/status/rival.ts";

/** Condition of a Service that has not got all it asks for: status False, with reason and message. */
export const SERVICE_CONDITION = ServiceConditionType.AddressAllocated;

/** Who forwards: we (Proxy: kube-proxy leaves the address alone) or kube-proxy (VIP). */
export type IpMode = "Proxy" | "VIP";

export interface PlannedEvent {
  readonly type: "Normal" | "Warning";
  readonly reason: EventReason;
  readonly message: string;
}

/** JSON merge patch of a Service's status subresource; the API server takes annotations and finalizers along. */
export interface ServicePatch {
  readonly metadata: {
    readonly resourceVersion: string;
    readonly annotations?: Readonly<Record<string, string | null>>;
    readonly finalizers?: readonly string[];
  };
  readonly status?: {
    readonly loadBalancer?: { readonly ingress: readonly Ingress[] | null };
    readonly conditions?: readonly ServiceCondition[];
  };
}

export interface StatusPlan {
  readonly patch: ServicePatch;
  readonly assigned: readonly Vip[];
  readonly released: readonly Released[];
  readonly refusal: Refusal | undefined;
  readonly events: readonly PlannedEvent[];
}

export interface PlanContext {
  readonly ipMode: IpMode;
  /** What kube-proxy forwards now stays with it for the time being (handover.ts); unset, nothing does. */
  readonly staysWithKubeProxy?: boolean;
  readonly now: Date;
  /** Whether an address is one of ours to take away from a Service that is no longer ours. */
  readonly isOurAddress: (address: string) => boolean;
  /** Services with addresses bear the finalizer for load balancers; unset, none does. */
  readonly cleanupFinalizer?: boolean;
  /** Somebody else keeps writing its addresses; undefined: nobody does. */
  readonly contest?: Contest | undefined;
}

export interface Released {
  readonly address: string;
  readonly why: string | undefined;
  /** Its owner asks for another address or pool by now. */
  readonly isAsked: boolean;
}

const SILENT = { assigned: [], released: [], refusal: undefined, events: [] } as const;

/** `outcome` undefined: the Service is not ours (any more). */
export function planStatus(
  service: ServiceRecord,
  outcome: Outcome | undefined,
  context: PlanContext,
): StatusPlan | undefined {
  if (outcome === undefined && !mayClear(service, context)) return planRelease(service);
  const vips = outcome?.allocation?.vips ?? [];
  const kept = context.staysWithKubeProxy === true ? service.ingress.filter(isWithKubeProxy) : [];
  const ingress = vips.map(({ address }) => ({
    ip: address,
    ipMode: kept.some(({ ip }) => ip === address) ? ("VIP" as const) : context.ipMode,
  }));
  const { contest } = context;
  const isIngressSame = contest?.yields === true || sameIngress(service.ingress, ingress);
  const conditions = wantedConditions(service, outcome, context);
  const isConditionSame = conditions === service.conditions;
  const finalizers = finalizerChange(service, outcome, context);
  if (isIngressSame && isConditionSame && finalizers === undefined) return undefined;
  const annotations = annotationChanges(service, outcome);
  const status = {
    ...(isIngressSame ? {} : { loadBalancer: { ingress: ingress.length === 0 ? null : ingress } }),
    ...(isConditionSame ? {} : { conditions }),
  };
  const had = service.ingress.flatMap(({ ip, hostname }) => ip ?? hostname ?? []);
  // While another controller keeps writing, addresses change to and fro: StatusContested says so, once.
  const assigned = contest === undefined ? vips.filter((vip) => !had.includes(vip.address)) : [];
  // If the request is refused as a whole, the Service loses addresses that it did not ask about, too.
  const refused = vips.length === 0 ? outcome?.refusal : undefined;
  const released = (contest === undefined ? had : [])
    .filter((address) => !vips.some((vip) => vip.address === address))
    .map((address): Released => {
      const refusal = outcome?.lost.find((lost) => lost.address === address)?.refusal ?? refused;
      return { address, why: refusal?.message, isAsked: refusal?.reason === RefusalReason.NotRequested };
    });
  const refusal = isConditionSame ? undefined : outcome?.refusal;
  return {
    patch: {
      metadata: {
        resourceVersion: service.resourceVersion,
        ...(annotations === undefined ? {} : { annotations }),
        ...(finalizers === undefined ? {} : { finalizers }),
      },
      ...(isIngressSame && isConditionSame ? {} : { status }),
    },
    assigned,
    released,
    refusal,
    events: [
      ...eventsOf({ assigned, released, refusal }),
      ...(isNewlyContested(service, conditions) ? [contestedEvent(contest)] : []),
    ],
  };
}

/**
 * A Service that is not ours is written to only if it bears our mark. If it is for another load balancer, its addresses
 * must be ours as well: its manifest may be a copy of one of our Services.
 */
function mayClear(service: ServiceRecord, context: PlanContext): boolean {
  if (!isMarked(service.conditions)) return false;
  if (service.type !== "LoadBalancer") return true;
  const addresses = service.ingress.flatMap(({ ip }) => ip ?? []);
  return addresses.length > 0 && addresses.every(context.isOurAddress);
}

/** The finalizers that it is to have, if others than now. One that somebody else put there stays as it is. */
function finalizerChange(
  { finalizers, hasOurFinalizer, isTerminating }: ServiceRecord,
  outcome: Outcome | undefined,
  { cleanupFinalizer }: PlanContext,
): readonly string[] | undefined {
  const isWanted = cleanupFinalizer === true && outcome?.allocation !== undefined;
  // None can be given any more; one that it has is judged by departure.ts.
  if (isTerminating && isWanted) return undefined;
  if (!isWanted) return hasOurFinalizer ? withoutOurs(finalizers) : undefined;
  return finalizers.includes(CLEANUP_FINALIZER) ? undefined : [...finalizers, CLEANUP_FINALIZER];
}

/** Takes our finalizer off the Service, and leaves the rest of it. */
export function planRelease(service: ServiceRecord): StatusPlan | undefined {
  const { resourceVersion, finalizers, hasOurFinalizer } = service;
  if (!hasOurFinalizer) return undefined;
  return { ...SILENT, patch: { metadata: { resourceVersion, finalizers: withoutOurs(finalizers) } } };
}

/** For people and their tools: written along with the status, and not again when somebody else changes it. */
function annotationChanges(
  service: ServiceRecord,
  outcome: Outcome | undefined,
): Readonly<Record<string, string | null>> | undefined {
  const wanted = outcome?.allocation && poolsOf(outcome.allocation).join(",");
  if (service.annotations[ANNOTATION_ALLOCATED_FROM] === wanted) return undefined;
  return { [ANNOTATION_ALLOCATED_FROM]: wanted ?? null };
}

const poolsOf = ({ vips }: Allocation): string[] => [...new Set(vips.map((vip) => vip.pool))];

function sameIngress(a: readonly Ingress[], b: readonly Ingress[]): boolean {
  return (
    a.length === b.length &&
    a.every(({ ip, ipMode, hostname }, at) => {
      const other = b[at];
      return ip === other?.ip && ipMode === other?.ipMode && hostname === other?.hostname;
    })
  );
}

/** The same list if nothing is to change. A Service that has all it asks for has no condition about a refusal. */
function wantedConditions(
  service: ServiceRecord,
  outcome: Outcome | undefined,
  { now, contest }: PlanContext,
): readonly ServiceCondition[] {
  const allocation = outcome?.allocation;
  const refusal = outcome?.refusal ?? (contest === undefined ? undefined : contestedWords(contest));
  const known =
    allocation === undefined
      ? without(service.conditions, FORWARDING_CONDITION)
      : setCondition(service.conditions, conditionOf(allocation), now);
  if (refusal === undefined) return without(known, SERVICE_CONDITION);
  const { reason, message } = refusal;
  return setCondition(known, { type: SERVICE_CONDITION, status: "False", reason, message }, now);
}

const contestedWords = ({ manager }: Contest): { readonly reason: Reason; readonly message: string } => ({
  reason: ContestedReason.StatusContested,
  message: contestedMessage(manager),
});

function isNewlyContested(service: ServiceRecord, conditions: readonly ServiceCondition[]): boolean {
  const isIn = (list: readonly ServiceCondition[]): boolean =>
    list.some(({ type, reason }) => type === SERVICE_CONDITION && reason === ContestedReason.StatusContested);
  return isIn(conditions) && !isIn(service.conditions);
}

const contestedEvent = (contest: Contest | undefined): PlannedEvent => ({
  type: "Warning",
  reason: ContestedReason.StatusContested,
  message: contestedMessage(contest?.manager),
});

const conditionOf = (allocation: Allocation): ReturnType<typeof forwardingCondition> =>
  forwardingCondition(poolsOf(allocation), allocation.ids, sharingMark(allocation.sharing));

function without(conditions: readonly ServiceCondition[], type: string): readonly ServiceCondition[] {
  const isThere = conditions.some((condition) => condition.type === type);
  return isThere ? conditions.filter((condition) => condition.type !== type) : conditions;
}

export function eventsOf({
  assigned,
  released,
  refusal,
}: Pick<StatusPlan, "assigned" | "released" | "refusal">): PlannedEvent[] {
  const events: PlannedEvent[] = [];
  for (const { address, why, isAsked } of released) {
    const message = `${address} is no longer this Service's address${why === undefined ? "" : `: ${why}`}`;
    const type = why === undefined || isAsked ? "Normal" : "Warning";
    events.push({ type, reason: "IPReleased", message });
  }
  if (assigned.length > 0) {
    const pools = [...new Set(assigned.map((vip) => `"${vip.pool}"`))].join(" and ");
    const message = `Assigned ${assigned.map((vip) => vip.address).join(" and ")} from AddressPool ${pools}`;
    events.push({ type: "Normal", reason: "IPAllocated", message });
  }
  if (refusal !== undefined) {
    const message = `${refusal.reason}: ${refusal.message}`;
    events.push({ type: "Warning", reason: "AllocationFailed", message });
  }
  return events;
}
