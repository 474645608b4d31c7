/** The controller's own metrics, read when somebody asks for them. */

import { FAMILIES } from "#api/address.ts";
import { CONTROLLER_LEASE } from "#api/names.ts";
import type { Metrics } from "#common/metrics.ts";
import type { Term } from "#controller/term.ts";

export function observeTerm(metrics: Metrics, current: () => Term | undefined): void {
  metrics.onCollect(() => {
    const allocator = current()?.allocator;
    metrics.set("genkan_leader", { lease: CONTROLLER_LEASE }, allocator === undefined ? 0 : 1);
    for (const name of [
      "genkan_pool_addresses",
      "genkan_pool_addresses_in_use",
      "genkan_services",
    ] as const) {
      metrics.clear(name);
    }
    if (allocator === undefined) return;
    for (const pool of allocator.config.pools.list()) {
      const { assigned } = allocator.ledger.use(pool);
      for (const family of FAMILIES) {
        const labels = { pool: pool.name, family };
        metrics.set("genkan_pool_addresses", labels, Number(pool.spaces[family].size));
        metrics.set("genkan_pool_addresses_in_use", labels, Number(assigned[family]));
      }
    }
    const states = { allocated: 0, pending: 0 };
    for (const [, { refusal }] of allocator.outcomes())
      states[refusal === undefined ? "allocated" : "pending"] += 1;
    for (const [state, count] of Object.entries(states)) metrics.set("genkan_services", { state }, count);
  });
}
