/**
 * One term of the leading controller: stores -> allocator -> writes. Everything is adopted before anything is given.
 * What a change touches is settled at once; a new configuration settles everything anew.
 */

import { parseAddress } from "#api/address.ts";
import { LOADBALANCER_NAME } from "#api/names.ts";
import type { Clock } from "#common/clock.ts";
import type { KubeClient } from "#common/kube/client.ts";
import type { EventRecorder } from "#common/kube/events.ts";
import type { OnSetback } from "#common/kube/setbacks.ts";
import type { Logger } from "#common/log.ts";
import { createLoop, type Loop } from "#common/loop.ts";
import type { Random } from "#common/random.ts";
import { Allocator } from "#controller/allocation/allocator.ts";
import { isReservedOtherwise, type PoolSet } from "#controller/allocation/pool.ts";
import { isOurs } from "#controller/allocation/request.ts";
import type { ServiceRecord } from "#controller/allocation/service.ts";
import { type JudgedPools, PoolJudge, type Settings, settingsOf } from "#controller/allocation/view.ts";
import { Pace } from "#controller/pace.ts";
import { ContestedServices } from "#controller/status/contested.ts";
import { type PlanContext, planService, type ServicePlan } from "#controller/status/plan.ts";
import { PoolWriter, type PoolWriterOptions } from "#controller/status/pool-writer.ts";
import { ServiceWriter } from "#controller/status/writer.ts";
import { openStores, type Stores } from "#controller/stores.ts";

export interface LeaderOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly events: Pick<EventRecorder, "emit">;
  readonly onSetback?: OnSetback;
  readonly namespace: string;
}

/**
 * A pool that is renamed, split or joined is for a moment no pool: addresses that lost theirs are taken away only if
 * no other pool has them after so long.
 */
const ORPHAN_GRACE_MS = 3_000;

/**
 * Settling everything anew costs as much as there are Services and pools (50 ms at 6,000 and 300), so it rests in between.
 * Services that change meanwhile wait for it: whoever makes a pool and then a Service means that pool, and nobody may be
 * given an address of one that is gone.
 */
const PACE = { share: 10, minMs: 0, maxMs: 500 } as const;

/**
 * Whoever frees and takes something in a loop makes all who wait be looked at each time: that takes one part of so many
 * of the time at most, and whatever else changed is settled in the others.
 */
const WAKE_PACE = { share: 9, minMs: 0, maxMs: 1_000 } as const;

interface Configuration {
  readonly settings: Settings;
  readonly judged: JudgedPools;
}

/** Runs until `signal` aborts. */
export async function runTerm(
  options: LeaderOptions,
  signal: AbortSignal,
  onTerm?: (term: Term) => void,
): Promise<void> {
  const { stores, ended } = await openStores(options, signal);
  if (!signal.aborted) {
    const term = new Term(options, stores);
    onTerm?.(term);
    await term.run(signal);
  }
  await ended;
}

export class Term {
  readonly allocator = new Allocator();
  readonly #options: LeaderOptions;
  readonly #stores: Stores;
  readonly #judge: PoolJudge;
  readonly #loop: Loop;
  readonly #writer: ServiceWriter;
  readonly #pools: PoolWriter;
  readonly #dirty = new Set<string>();
  readonly #pace = new Pace(PACE);
  readonly #contested = new ContestedServices();
  /** Pool -> its configuration as last seen: a change of its status alone settles nothing anew. */
  readonly #poolTexts = new Map<string, string>();
  #configuration: Configuration | undefined;
  #isStale = true;
  #mayBeReserved = false;
  #staleSince: number;
  /** Those who wait are looked at then at the earliest; clock.now(). */
  readonly #wakePace = new Pace(WAKE_PACE);

  constructor(options: LeaderOptions, stores: Stores) {
    const { client, clock, random, log } = options;
    this.#options = options;
    this.#stores = stores;
    this.#judge = new PoolJudge(options.namespace);
    this.#staleSince = clock.now();
    this.#loop = createLoop({ name: "allocate", pass: () => this.#pass(), clock, random, log });
    this.#writer = new ServiceWriter({
      client,
      clock,
      random,
      log,
      observe: (key) => stores.services.get(key),
      plan: (service) => this.#plan(service),
      onWritten: (service, plan) => this.#tell(service, plan),
    });
    this.#pools = new PoolWriter({ ...options, pools: stores.pools, facts: (name) => this.#poolFacts(name) });
  }

  /** Writes to Services so far. */
  get writes(): number {
    return this.#writer.writes;
  }

  /** For /debug/plan. */
  describe(): unknown {
    return {
      configured: this.#configuration !== undefined,
      waiting: this.allocator.waiting,
      pendingWrites: this.#writer.pending,
      writes: this.#writer.writes,
      conflicts: this.#writer.conflicts,
      contested: this.#contested.size,
      services: Object.fromEntries(
        [...this.allocator.outcomes()].map(([key, { allocation, refusal }]) => [
          key,
          { addresses: allocation?.vips.map((vip) => vip.address) ?? [], ids: allocation?.ids, refusal },
        ]),
      ),
    };
  }

  async run(signal: AbortSignal): Promise<void> {
    const { services, pools, loadBalancers, namespaces, servicesIn, reserved } = this.#stores;
    for (const pool of pools.list()) this.#poolChanged(pool.metadata.name);
    const cancels = [
      services.subscribe((key) => this.#serviceChanged(key)),
      loadBalancers.subscribe(() => this.#configurationChanged()),
      reserved.onChange(() => {
        this.#mayBeReserved = true;
        this.#loop.trigger();
      }),
      pools.subscribe((key) => this.#poolChanged(key.slice(key.indexOf("/") + 1))),
      namespaces.subscribe((name) => {
        for (const key of servicesIn.keys(name)) this.#serviceChanged(key);
      }),
    ];
    await Promise.all([this.#loop.run(signal), this.#writer.run(signal), this.#pools.run(signal)]);
    for (const cancel of cancels) cancel();
  }

  #serviceChanged(key: string): void {
    this.#dirty.add(key);
    this.#loop.trigger();
  }

  #configurationChanged(): void {
    this.#isStale = true;
    this.#staleSince = this.#options.clock.now();
    this.#loop.trigger();
  }

  #poolChanged(name: string): void {
    const pool = this.#stores.pools.get(`${this.#options.namespace}/${name}`);
    const text = pool && JSON.stringify([pool.metadata.uid, pool.spec]);
    if (text === this.#poolTexts.get(name)) {
      this.#pools.trigger();
      return;
    }
    if (text === undefined) this.#poolTexts.delete(name);
    else this.#poolTexts.set(name, text);
    this.#configurationChanged();
  }

  async #pass(): Promise<{ retryAfterMs?: number }> {
    this.#lookAtReserved();
    const { clock } = this.#options;
    let waitMs = 0;
    if (this.#isStale) {
      const restMs = this.#pace.waitMs(clock.now());
      if (restMs > 0) return { retryAfterMs: restMs };
      waitMs = this.#reconfigureInTurn();
    }
    if (this.#configuration === undefined) return waitMs > 0 ? { retryAfterMs: waitMs } : {};
    const { services } = this.#stores;
    const changes = [...this.#dirty].map((key) => [key, services.get(key)] as const);
    this.#dirty.clear();
    for (const [key, service] of changes) if (service === undefined) this.#forgetDeleted(key);
    if (changes.length > 0 || this.allocator.owesWake) this.#enqueue(this.#update(changes));
    const wakeMs = this.allocator.owesWake ? Math.max(1, this.#wakePace.waitMs(clock.now())) : 0;
    const waits = [waitMs, wakeMs].filter((ms) => ms > 0);
    return waits.length === 0 ? {} : { retryAfterMs: Math.min(...waits) };
  }

  /** Nodes come and go; few are in a pool. */
  #lookAtReserved(): void {
    if (!this.#mayBeReserved) return;
    this.#mayBeReserved = false;
    const pools = this.#configuration?.judged.pools;
    if (pools === undefined || !isReservedOtherwise(pools, this.#stores.reserved.reserved)) return;
    this.#isStale = true;
  }

  #update(changes: Parameters<Allocator["update"]>[0]): Set<string> {
    const { clock } = this.#options;
    const began = clock.now();
    const wakes = this.#wakePace.waitMs(began) === 0;
    const touched = this.allocator.update(changes, wakes);
    if (wakes) this.#wakePace.spent(began, clock.now());
    return touched;
  }

  /** Settles everything, and rests afterwards by what it took; what it says is as of `reconfigure`. */
  #reconfigureInTurn(): number {
    const { clock } = this.#options;
    const began = clock.now();
    const leftMs = this.#reconfigure();
    this.#pace.spent(began, clock.now());
    return leftMs;
  }

  /** Settles everything under the present configuration; milliseconds to wait if that would orphan an address. */
  #reconfigure(): number {
    const stores = this.#stores;
    const settings = settingsOf(stores.loadBalancers.get(`${this.#options.namespace}/${LOADBALANCER_NAME}`));
    if (settings === undefined) {
      this.#isStale = false;
      this.#configuration = undefined;
      this.#options.log.info("no LoadBalancer, or it is being deleted: nothing is allocated");
      return 0;
    }
    const labelsOf = (name: string): Readonly<Record<string, string>> | undefined =>
      stores.namespaces.get(name);
    const judged = this.#judge.judge(stores.pools.list(), labelsOf, stores.reserved.reserved);
    const leftMs = this.#staleSince + ORPHAN_GRACE_MS - this.#options.clock.now();
    if (leftMs > 0 && this.#hasOrphans(judged.pools, settings)) return leftMs;
    this.#isStale = false;
    this.#configuration = { settings, judged };
    for (const key of this.#dirty) if (!stores.services.has(key)) this.#forgetDeleted(key);
    this.#dirty.clear();
    const config = {
      pools: judged.pools,
      loadBalancerClass: settings.loadBalancerClass,
      isWhole: settings.ipMode === "VIP",
    };
    this.#enqueue(this.allocator.rebuild(config, stores.services.list()));
    return 0;
  }

  /** Whether a Service of ours has an address that no pool has. */
  #hasOrphans(pools: PoolSet, settings: Settings): boolean {
    const isOrphan = (text: string | undefined): boolean => {
      const address = text === undefined ? undefined : parseAddress(text);
      return address !== undefined && pools.poolOf(address.family, address.value) === undefined;
    };
    return this.#stores.services
      .list()
      .some(
        (service) =>
          isOurs(service, settings.loadBalancerClass) && service.ingress.some(({ ip }) => isOrphan(ip)),
      );
  }

  #enqueue(keys: Iterable<string>): void {
    for (const key of keys) this.#writer.enqueue(key);
    this.#pools.trigger();
  }

  #plan(service: ServiceRecord): ServicePlan | undefined {
    const { settings, judged } = this.#configuration ?? {};
    if (settings === undefined || judged === undefined) return undefined;
    const outcome = this.allocator.outcome(service.key);
    // Seen by the watch, but not settled yet: the pass that settles it asks again.
    if (outcome === undefined && isOurs(service, settings.loadBalancerClass)) return undefined;
    // A pool that would serve it may have come in and not been settled yet: nobody is refused anything for that.
    const hasNothing = outcome?.allocation === undefined && service.ingress.length === 0;
    if (this.#isStale && hasNothing && outcome?.refusal !== undefined) return undefined;
    const { clock } = this.#options;
    const context: PlanContext = {
      ipMode: settings.ipMode,
      now: clock.date(),
      isOurAddress: (text) => {
        const address = parseAddress(text);
        return address !== undefined && judged.pools.poolOf(address.family, address.value) !== undefined;
      },
    };
    const plan = planService(service, outcome, context);
    const wanted = plan?.patch.status?.loadBalancer;
    const { contest, againMs } = this.#contested.judge(service, wanted, clock.now());
    if (againMs !== undefined) this.#writer.enqueueLater(service.key, againMs);
    return contest === undefined ? plan : planService(service, outcome, { ...context, contest });
  }

  #poolFacts(name: string): ReturnType<PoolWriterOptions["facts"]> {
    const pool = this.#configuration?.judged.pools.get(name);
    const faults = this.#configuration?.judged.faults.get(name);
    return pool && faults && { use: this.allocator.ledger.use(pool), faults };
  }

  #tell(service: ServiceRecord, plan: ServicePlan): void {
    const { log, events, clock } = this.#options;
    this.#contested.wrote(service.key, plan.patch, clock.now());
    for (const { address, why } of plan.released) this.#tellReleased(service.key, address, why);
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

  #forgetDeleted(key: string): void {
    this.#contested.forget(key);
    for (const vip of this.allocator.ledger.get(key)?.vips ?? [])
      this.#tellReleased(key, vip.address, undefined);
  }

  #tellReleased(service: string, ip: string, why: string | undefined): void {
    this.#options.log.info("IP address released by controller", { event: "ipReleased", ip, service, why });
  }
}
