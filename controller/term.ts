/**
 * One term of the leading controller: stores -> allocator -> writes. It takes over every address that Services have
 * before it gives out new ones. A changed Service is settled at once; a new configuration settles all Services again.
 */

import { LOADBALANCER_NAME } from "#api/names.ts";
import type { Clock } from "#common/clock.ts";
import type { KubeClient } from "#common/kube/client.ts";
import type { EventRecorder } from "#common/kube/events.ts";
import type { OnSetback } from "#common/kube/setbacks.ts";
import type { Logger } from "#common/log.ts";
import { createLoop, type Loop } from "#common/loop.ts";
import type { Random } from "#common/random.ts";
import type { SpanSink } from "#common/trace/exporter.ts";
import { Allocator } from "#controller/allocation/allocator.ts";
import { type Configuration, PoolJudge, settingsOf } from "#controller/allocation/configuration.ts";
import { isReservedOtherwise } from "#controller/allocation/pool.ts";
import { hasOrphans, ORPHAN_GRACE_MS } from "#controller/allocation/shrinking-pools.ts";
import { Pace } from "#controller/pace.ts";
import { StatusDecisions } from "#controller/status/decisions.ts";
import { Handover } from "#controller/status/handover.ts";
import { PoolWriter, type PoolWriterOptions } from "#controller/status/pool-writer.ts";
import { ServiceWriter } from "#controller/status/writer.ts";
import { type LoadBalancerRecord, openStores, type Stores } from "#controller/stores.ts";
import { AllocationTraces } from "#controller/trace/service-traces.ts";

export interface LeaderOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly events: Pick<EventRecorder, "emit">;
  readonly onSetback?: OnSetback;
  readonly namespace: string;
  readonly spans: SpanSink;
}

/**
 * Settling all Services takes time in proportion to Services and pools (50 ms at 6,000 and 300), so it rests in
 * between. Services that change meanwhile wait for it: a Service that comes right after its pool means that pool, and
 * no Service may get an address of a pool that is gone.
 */
const PACE = { share: 10, minMs: 0, maxMs: 500 } as const;

/**
 * A Service that frees and takes something in a loop would have all waiting Services looked at each time. Looking at
 * them may take a tenth of the time; the rest is for other changes.
 */
const WAKE_PACE = { share: 9, minMs: 0, maxMs: 1_000 } as const;

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
  readonly #handover: Handover;
  readonly #decisions: StatusDecisions;
  readonly #writer: ServiceWriter;
  readonly #traces: AllocationTraces;
  readonly #pools: PoolWriter;
  readonly #dirty = new Set<string>();
  readonly #pace = new Pace(PACE);
  /** Pool -> its configuration as last seen: a change of its status alone settles nothing anew. */
  readonly #poolTexts = new Map<string, string>();
  #configuration: Configuration | undefined;
  #isStale = true;
  /** There is no LoadBalancer, or it is being deleted. */
  #isRemoved = false;
  #mayBeReserved = false;
  #staleSince: number;
  /** When Services that wait for an address may be looked at again. */
  readonly #wakePace = new Pace(WAKE_PACE);

  constructor(options: LeaderOptions, stores: Stores) {
    const { client, clock, random, log } = options;
    this.#options = options;
    this.#stores = stores;
    this.#judge = new PoolJudge(options.namespace);
    this.#staleSince = clock.now();
    this.#traces = new AllocationTraces(options);
    this.#loop = createLoop({ name: "allocate", pass: () => this.#pass(), clock, random, log });
    this.#handover = new Handover(clock);
    this.#decisions = new StatusDecisions({
      handover: this.#handover,
      clock,
      log,
      events: options.events,
      services: stores.services,
      allocator: this.allocator,
      configuration: () => this.#configuration,
      isStale: () => this.#isStale,
      isRemoved: () => this.#isRemoved,
      traces: this.#traces,
    });
    this.#writer = new ServiceWriter({
      client,
      clock,
      random,
      log,
      decisions: this.#decisions,
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
      contested: this.#decisions.contested,
      leftToKubeProxy: this.#handover.waiting.size,
      services: Object.fromEntries(
        [...this.allocator.outcomes()].map(([key, { allocation, refusal }]) => [
          key,
          { addresses: allocation?.vips.map((vip) => vip.address) ?? [], ids: allocation?.ids, refusal },
        ]),
      ),
    };
  }

  async run(signal: AbortSignal): Promise<void> {
    const { services, pools, loadBalancers, speakers, namespaces, servicesIn, reserved } = this.#stores;
    this.#seeSpeakers();
    for (const pool of pools.list()) this.#poolChanged(pool.metadata.name);
    const cancels = [
      services.subscribe((key) => this.#serviceChanged(key)),
      loadBalancers.subscribe(() => {
        this.#seeSpeakers();
        this.#configurationChanged();
      }),
      speakers.subscribe(() => this.#seeSpeakers()),
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
    this.#traces.seen(key);
    this.#loop.trigger();
  }

  #configurationChanged(): void {
    this.#isStale = true;
    this.#staleSince = this.#options.clock.now();
    this.#loop.trigger();
  }

  /** Addresses that kube-proxy forwards may have waited for what speakers say now. */
  #seeSpeakers(): void {
    const { metadata, speakers: desired } = this.#loadBalancer() ?? {};
    const asked = { generation: metadata?.generation ?? 0, desired };
    if (!this.#handover.see(this.#stores.speakers.list(), asked)) return;
    this.#options.log.info("the speakers forward: kube-proxy lets go", {
      services: this.#handover.waiting.size,
    });
    for (const key of this.#handover.waiting) this.#writer.enqueue(key);
  }

  #loadBalancer(): LoadBalancerRecord | undefined {
    return this.#stores.loadBalancers.get(`${this.#options.namespace}/${LOADBALANCER_NAME}`);
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
    for (const [key, service] of changes) if (service === undefined) this.#decisions.deleted(key);
    if (changes.length > 0 || this.allocator.owesWake) this.#enqueue(this.#update(changes));
    const wakeMs = this.allocator.owesWake ? Math.max(1, this.#wakePace.waitMs(clock.now())) : 0;
    const waits = [waitMs, wakeMs].filter((ms) => ms > 0);
    return waits.length === 0 ? {} : { retryAfterMs: Math.min(...waits) };
  }

  /** Nodes come and go, and few have an address that is in a pool: only such a change settles everything again. */
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

  /** Settles everything, then rests in proportion to the time that it took. Returns what `reconfigure` returns. */
  #reconfigureInTurn(): number {
    const { clock } = this.#options;
    const began = clock.now();
    const leftMs = this.#reconfigure();
    this.#pace.spent(began, clock.now());
    return leftMs;
  }

  /**
   * Settles everything under the present configuration. If that took an address from a Service, it waits: milliseconds.
   */
  #reconfigure(): number {
    const stores = this.#stores;
    const settings = settingsOf(this.#loadBalancer());
    if (settings === undefined) {
      this.#isStale = false;
      this.#configuration = undefined;
      this.#isRemoved = true;
      for (const service of stores.services.list())
        if (service.hasOurFinalizer) this.#writer.enqueue(service.key);
      this.#options.log.info("no LoadBalancer, or it is being deleted: nothing is allocated");
      return 0;
    }
    const labelsOf = (name: string): Readonly<Record<string, string>> | undefined =>
      stores.namespaces.get(name);
    const judged = this.#judge.judge(stores.pools.list(), labelsOf, stores.reserved.reserved);
    const leftMs = this.#staleSince + ORPHAN_GRACE_MS - this.#options.clock.now();
    if (leftMs > 0 && hasOrphans(stores.services.list(), judged.pools, settings)) return leftMs;
    this.#isStale = false;
    this.#isRemoved = false;
    this.#configuration = { settings, judged };
    for (const key of this.#dirty) if (!stores.services.has(key)) this.#decisions.deleted(key);
    this.#dirty.clear();
    const config = {
      pools: judged.pools,
      loadBalancerClass: settings.loadBalancerClass,
      isWhole: settings.ipMode === "VIP",
    };
    this.#enqueue(this.allocator.rebuild(config, stores.services.list()));
    return 0;
  }

  #enqueue(keys: ReadonlySet<string>): void {
    this.#traces.settled(keys);
    for (const key of keys) this.#writer.enqueue(key);
    this.#pools.trigger();
  }

  #poolFacts(name: string): ReturnType<PoolWriterOptions["facts"]> {
    const pool = this.#configuration?.judged.pools.get(name);
    const faults = this.#configuration?.judged.faults.get(name);
    return pool && faults && { use: this.allocator.ledger.use(pool), faults };
  }
}
