/**
 * The end of a Service that bears our finalizer: first its addresses and ids are taken back, so that every speaker
 * withdraws them; then, after a moment in which the speakers have done so, the finalizer goes, and with it the Service.
 */
import { isWithdrawn, WITHDRAWN_CONDITION } from "#api/forwarding-ids.ts";
import { setCondition } from "#api/v1beta1/conditions.ts";
import type { Clock } from "#common/clock.ts";
import { isMarked, type ServiceRecord } from "#controller/allocation/service.ts";
import { eventsOf, planRelease, SERVICE_CONDITION, type StatusPlan } from "#controller/status/plan.ts";
import type { Decision } from "#controller/status/writer.ts";

/**
 * From the taking back to the end. A speaker that hears the API server withdraws a fraction of a second after the change,
 * with 10,000 Services, too. No speaker reports each withdrawal, so nobody waits for one that does not hear.
 */
export const WITHDRAWAL_MS = 2_000;

/** Being deleted, and the deletion waits for us; or it has waited, and the addresses must not come back. */
export function isDeparting({ isTerminating, hasOurFinalizer, conditions }: ServiceRecord): boolean {
  return isTerminating && (hasOurFinalizer || isWithdrawn(conditions));
}

/** What is next for a Service that departs; `isOver`: the speakers have had their time. Pure. */
export function planDeparture(
  service: ServiceRecord,
  { now, isOver }: { readonly now: Date; readonly isOver: boolean },
): StatusPlan | undefined {
  const { conditions, ingress, resourceVersion } = service;
  if (!isMarked(conditions) || isWithdrawn(conditions))
    return isOver || !isMarked(conditions) ? planRelease(service) : undefined;
  const others = conditions.filter(({ type }) => type !== SERVICE_CONDITION);
  const released = ingress.flatMap(({ ip }) =>
    ip === undefined ? [] : [{ address: ip, why: undefined, isAsked: false }],
  );
  const said = { assigned: [], released, refusal: undefined } as const;
  return {
    ...said,
    patch: {
      metadata: { resourceVersion },
      status: {
        loadBalancer: { ingress: null },
        conditions: setCondition(others, WITHDRAWN_CONDITION, now),
      },
    },
    events: eventsOf(said),
  };
}

/** Remembers since when each was withdrawn, by our own clock. Another leader counts anew. */
export class Departures {
  /** No more than there are Services that are being deleted. */
  readonly #since = new Map<string, number>();

  decide(service: ServiceRecord, clock: Pick<Clock, "now" | "date">): Decision {
    const { key, conditions } = service;
    const now = clock.now();
    const since = this.#since.get(key) ?? now;
    if (isWithdrawn(conditions)) this.#since.set(key, since);
    const leftMs = since + WITHDRAWAL_MS - now;
    const isOver = leftMs <= 0;
    const plan = planDeparture(service, { now: clock.date(), isOver });
    const againMs = plan === undefined && service.hasOurFinalizer ? Math.max(1, leftMs) : undefined;
    return { plan, againMs };
  }

  /** The Service is gone. True if its addresses had been withdrawn before. */
  forget(key: string): boolean {
    return this.#since.delete(key);
  }
}
