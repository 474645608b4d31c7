/** Writes the status of AddressPools when it changed, at most once a second. */

import { FIELD_MANAGER } from "#api/names.ts";
import { ConditionType } from "#api/v1beta1/conditions.ts";
import type { Fault } from "#api/v1beta1/fault.ts";
import type { Clock } from "#common/clock.ts";
import type { KubeClient } from "#common/kube/client.ts";
import { isConflict, isNotFound } from "#common/kube/error.ts";
import { type AddressPool, addressPools } from "#common/kube/resource.ts";
import type { ReadStore } from "#common/kube/store.ts";
import type { Logger } from "#common/log.ts";
import { createLoop, type Loop } from "#common/loop.ts";
import type { Random } from "#common/random.ts";
import type { PoolUse } from "#controller/allocation/ledger.ts";
import { planPoolStatus } from "#controller/status/pool-status.ts";

export interface PoolWriterOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly pools: ReadStore<AddressPool>;
  /** undefined while nothing is known about the pool. */
  readonly facts: (name: string) => { readonly use: PoolUse; readonly faults: readonly Fault[] } | undefined;
}

/** The counts change with every Service, and only people read them. */
const MIN_INTERVAL_MS = 1_000;

export class PoolWriter {
  readonly #options: PoolWriterOptions;
  readonly #loop: Loop;
  /** Pool -> version that our last write was made over: until the watch shows another there is nothing to compare. */
  readonly #written = new Map<string, string>();

  constructor(options: PoolWriterOptions) {
    const { clock, random, log } = options;
    this.#options = options;
    this.#loop = createLoop({
      name: "pool-status",
      pass: (signal) => this.#pass(signal),
      clock,
      random,
      log,
      minIntervalMs: MIN_INTERVAL_MS,
    });
  }

  trigger(): void {
    this.#loop.trigger();
  }

  run(signal: AbortSignal): Promise<void> {
    return this.#loop.run(signal);
  }

  async #pass(signal: AbortSignal): Promise<void> {
    const present = new Set<string>();
    for (const pool of this.#options.pools.list()) {
      present.add(pool.metadata.name);
      await this.#write(pool, signal);
    }
    for (const name of this.#written.keys()) if (!present.has(name)) this.#written.delete(name);
  }

  async #write(pool: AddressPool, signal: AbortSignal): Promise<void> {
    const { name, namespace = "", resourceVersion } = pool.metadata;
    const facts = this.#options.facts(name);
    if (facts === undefined || this.#written.get(name) === resourceVersion) return;
    const status = planPoolStatus(pool.status, { ...facts, pool }, this.#options.clock.date());
    if (status === undefined) return;
    try {
      const answer = await this.#options.client.patch(addressPools, {
        name,
        namespace,
        subresource: "status",
        type: "merge",
        body: { metadata: { resourceVersion }, status },
        fieldManager: FIELD_MANAGER.controller,
        signal,
      });
      // A write that changed nothing makes no new version, so the watch will not show one.
      if (answer.metadata.resourceVersion !== resourceVersion) this.#written.set(name, resourceVersion);
      const isValid = facts.faults.length === 0;
      const wasValid =
        pool.status?.conditions?.find((condition) => condition.type === ConditionType.Valid)?.status !==
        "False";
      if (!isValid && wasValid)
        this.#options.log.warn("AddressPool is not valid", { pool: name, faults: facts.faults });
    } catch (error) {
      // Somebody wrote first, or it is gone: the watch shows that, and asks for another pass.
      if (!isConflict(error) && !isNotFound(error)) throw error;
    }
  }
}
