/**
 * What is to be written to each Service, and what is said once it is: the far side of the seam to ServiceWriter. It
 * decides by what the term has settled at that moment, so that many changes become one write.
 */
import { parseAddress } from "#api/address.ts";
import type { Clock } from "#common/clock.ts";
import type { EventRecorder } from "#common/kube/events.ts";
import type { ReadStore } from "#common/kube/store.ts";
import type { Logger } from "#common/log.ts";
import type { Allocator } from "#controller/allocation/allocator.ts";
import type { Configuration } from "#controller/allocation/configuration.ts";
import { isOurs } from "#controller/allocation/request.ts";
import type { ServiceRecord } from "#controller/allocation/service.ts";
import { ContestedServices } from "#controller/status/contested.ts";
import { Departures, isDeparting } from "#controller/status/departure.ts";
import type { Handover } from "#controller/status/handover.ts";
import { type PlanContext, planRelease, planStatus, type StatusPlan } from "#controller/status/plan.ts";
import type { Decision, ServiceDecisions } from "#controller/status/writer.ts";
import type { AllocationTraces } from "#controller/trace/service-traces.ts";

export interface StatusDecisionsOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly events: Pick<EventRecorder, "emit">;
  readonly services: ReadStore<ServiceRecord>;
  readonly allocator: Pick<Allocator, "outcome" | "ledger">;
  readonly handover: Pick<Handover, "waitMs" | "forget">;
  /** Under which everything was settled last; undefined while nothing is allocated. */
  readonly configuration: () => Configuration | undefined;
  /** A newer configuration waits to be settled. */
  readonly isStale: () => boolean;
  /** There is no LoadBalancer, or it is being deleted: Services are left with nothing that only we could take away. */
  readonly isRemoved: () => boolean;
  readonly traces: Pick<AllocationTraces, "written" | "unchanged" | "deleted">;
}

const NOTHING: Decision = { plan: undefined, againMs: undefined };

export class StatusDecisions implements ServiceDecisions {
  readonly #options: StatusDecisionsOptions;
  readonly #contested = new ContestedServices();
  readonly #departures = new Departures();

  constructor(options: StatusDecisionsOptions) {
    this.#options = options;
  }

  /** Services whose status another controller keeps writing. */
  get contested(): number {
    return this.#contested.size;
  }

  observe(key: string): ServiceRecord | undefined {
    return this.#options.services.get(key);
  }

  decide(service: ServiceRecord): Decision {
    const { allocator, configuration, isStale, clock } = this.#options;
    const current = configuration();
    if (current === undefined)
      return { ...NOTHING, plan: this.#options.isRemoved() ? planRelease(service) : undefined };
    const { settings, judged } = current;
    if (isDeparting(service)) return this.#departures.decide(service, clock);
    // Another Service may have the name by now.
    this.#departures.forget(service.key);
    const outcome = allocator.outcome(service.key);
    // The watch has shown it, but no pass has settled it yet; the pass that does will ask again.
    if (outcome === undefined && isOurs(service, settings.loadBalancerClass)) return NOTHING;
    // A pool that would serve it may wait to be settled: the Service is not refused anything before that.
    const hasNothing = outcome?.allocation === undefined && service.ingress.length === 0;
    if (isStale() && hasNothing && outcome?.refusal !== undefined) return NOTHING;
    const waitMs =
      settings.ipMode === "Proxy" && outcome !== undefined ? this.#options.handover.waitMs(service) : 0;
    const context: PlanContext = {
      ipMode: settings.ipMode,
      staysWithKubeProxy: waitMs > 0,
      cleanupFinalizer: settings.cleanupFinalizer,
      now: clock.date(),
      isOurAddress: (text) => {
        const address = parseAddress(text);
        return address !== undefined && judged.pools.poolOf(address.family, address.value) !== undefined;
      },
    };
    const plan = planStatus(service, outcome, context);
    // What waits for an address is still on its way.
    if (plan === undefined && outcome?.refusal === undefined) this.#options.traces.unchanged(service.key);
    const wanted = plan?.patch.status?.loadBalancer;
    const { contest, againMs } = this.#contested.judge(service, wanted, clock.now());
    return {
      plan: contest === undefined ? plan : planStatus(service, outcome, { ...context, contest }),
      againMs: waitMs > 0 ? Math.min(waitMs, againMs ?? waitMs) : againMs,
    };
  }

  written(service: ServiceRecord, plan: StatusPlan): void {
    const { log, events, clock } = this.#options;
    this.#contested.wrote(service.key, plan.patch, clock.now());
    this.#options.traces.written(service, plan);
    for (const { address, why } of plan.released) this.#logReleased(service.key, address, why);
    for (const vip of plan.assigned) {
      log.info("IP address assigned by controller", {
        event: "ipAllocated",
        ip: vip.address,
        service: service.key,
        pool: vip.pool,
      });
    }
    if (plan.refusal !== undefined) {
      log.warn("no IP address for Service", {
        event: "allocationFailed",
        service: service.key,
        ...plan.refusal,
      });
    }
    const { name, namespace, uid } = service;
    for (const event of plan.events) {
      events.emit({ apiVersion: "v1", kind: "Service", metadata: { name, namespace, uid } }, event);
    }
  }

  /** The Service is gone; call it before the allocator frees what it had. */
  deleted(key: string): void {
    this.#contested.forget(key);
    this.#options.handover.forget(key);
    this.#options.traces.deleted(key);
    // Of one whose addresses were withdrawn that was said then.
    if (this.#departures.forget(key)) return;
    for (const vip of this.#options.allocator.ledger.get(key)?.vips ?? [])
      this.#logReleased(key, vip.address, undefined);
  }

  #logReleased(service: string, ip: string, why: string | undefined): void {
    this.#options.log.info("IP address released by controller", { event: "ipReleased", ip, service, why });
  }
}
