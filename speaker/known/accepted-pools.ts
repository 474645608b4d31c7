/**
 * The AddressPools that count. What came in while no webhook was up is judged by the same rules as there: a pool whose
 * new configuration is refused goes on with its last valid one, and every node decides alike. A pool that is deleted
 * counts for a while longer, because it is often made again at once, under the same name or another one. Until the
 * controller has settled whose addresses these are, owners and routes stay as they are.
 */
import { ADDRESSPOOL_RULES } from "#api/v1beta1/admission/addresspool.ts";
import { LastValid } from "#api/v1beta1/admission/last-valid.ts";
import { emptyView } from "#api/v1beta1/admission/view.ts";
import type * as generated from "#api/v1beta1/generated/types.ts";
import type { Clock } from "#common/clock.ts";
import type { AddressPool } from "#common/kube/resource.ts";
import { Store } from "#common/kube/store.ts";
import { Pools } from "./pools.ts";
import { projectPool } from "./project.ts";
import { judgedMetadata, refusedOf, type Unusable } from "./usable.ts";
import type { PoolView } from "./view.ts";

/** This is longer than the controller waits before it takes addresses away (3 s), and than it needs to write that. */
export const GONE_POOL_MS = 30_000;

export interface AcceptedPoolsOptions {
  readonly namespace: string;
  readonly clock: Clock;
  /** Called when a deleted pool stops counting. */
  readonly onChange: () => void;
}

export class AcceptedPools {
  /** As the API server has them. */
  readonly store = new Store<AddressPool>();
  readonly #options: AcceptedPoolsOptions;
  readonly #judge: LastValid<generated.AddressPool>;
  #present: readonly PoolView[] = [];
  /** By name: deleted pools, as they were when their deletion was seen. */
  readonly #gone = new Map<string, PoolView>();
  #pools: Pools | undefined;
  #refused: readonly Unusable[] = [];

  constructor(options: AcceptedPoolsOptions) {
    this.#options = options;
    const view = emptyView(options.namespace);
    this.#judge = new LastValid((pool, pools) => {
      // A pool that cannot be read makes this throw, which counts as a refusal.
      projectPool(pool as unknown as AddressPool);
      return ADDRESSPOOL_RULES.flatMap((rule) => rule(pool, { ...view, pools }));
    });
    this.store.subscribe(() => {
      this.#pools = undefined;
    });
  }

  /** The same object until something changes. */
  current(): Pools {
    this.#pools ??= this.#settle();
    return this.#pools;
  }

  /** Pools whose present configuration does not count, as of `current`. */
  get refused(): readonly Unusable[] {
    return this.#refused;
  }

  #settle(): Pools {
    const before = this.#present;
    const standings = this.#judge.judge(this.store.list() as unknown as readonly generated.AddressPool[]);
    this.#refused = refusedOf("AddressPool", standings);
    this.#present = standings
      .flatMap(({ effective }) =>
        effective === undefined ? [] : [projectPool(effective as unknown as AddressPool)],
      )
      .sort((a, b) => (a.name < b.name ? -1 : 1));
    const names = new Set(this.#present.map(({ name }) => name));
    for (const pool of before) if (!names.has(pool.name)) this.#miss(pool);
    for (const name of this.#gone.keys()) if (names.has(name)) this.#gone.delete(name);
    return new Pools(this.#present, [...this.#gone.values()]);
  }

  #miss(pool: PoolView): void {
    this.#gone.set(pool.name, pool);
    this.#options.clock.after(GONE_POOL_MS, () => {
      // It may have come back and gone once more since: then another timer counts.
      if (this.#gone.get(pool.name) !== pool) return;
      this.#gone.delete(pool.name);
      this.#pools = undefined;
      this.#options.onChange();
    });
  }
}

/** What rules and plans look at: a status that changes is no news. The spec is read when it is judged. */
export function storedPool({ metadata, spec }: AddressPool): AddressPool {
  return { metadata: judgedMetadata(metadata), spec } as AddressPool;
}
