/** AddressPools, namespaces and the LoadBalancer -> what allocation works with. Pure but for what it remembers. */

import { API_VERSION, LOADBALANCER_NAME } from "#api/names.ts";
import { NOTHING_RESERVED, type Reserved } from "#api/reserved.ts";
import { faultsOf } from "#api/v1beta1/admission/judge.ts";
import { LastValid } from "#api/v1beta1/admission/last-valid.ts";
import { emptyView } from "#api/v1beta1/admission/view.ts";
import type { Fault } from "#api/v1beta1/fault.ts";
import type { LoadBalancer } from "#api/v1beta1/generated/types.ts";
import { addressPools, type AddressPool as StoredPool } from "#common/kube/resource.ts";
import { compilePool, type NamespaceLabels, PoolSet } from "#controller/allocation/pool.ts";
import type { IpMode } from "#controller/status/plan.ts";

export interface Settings {
  readonly loadBalancerClass: string | undefined;
  readonly ipMode: IpMode;
  /** Services with addresses bear the finalizer for load balancers. */
  readonly cleanupFinalizer: boolean;
}

/** undefined while there is no LoadBalancer, or it is being deleted: then nothing is allocated and nothing written. */
export function settingsOf(
  loadBalancer: Pick<LoadBalancer, "metadata" | "spec"> | undefined,
): Settings | undefined {
  if (loadBalancer === undefined || loadBalancer.metadata.deletionTimestamp !== undefined) return undefined;
  if (loadBalancer.metadata.name !== LOADBALANCER_NAME) return undefined;
  const { loadBalancerClass, forwarding, cleanupFinalizer } = loadBalancer.spec ?? {};
  return {
    loadBalancerClass: loadBalancerClass === "" ? undefined : loadBalancerClass,
    ipMode: forwarding?.mode === "KubeProxy" ? "VIP" : "Proxy",
    cleanupFinalizer: cleanupFinalizer === true,
  };
}

export interface JudgedPools {
  readonly pools: PoolSet;
  /** Pool -> what is wrong with its present configuration; empty if nothing is. */
  readonly faults: ReadonlyMap<string, readonly Fault[]>;
}

/** What allocation works under. */
export interface Configuration {
  readonly settings: Settings;
  readonly judged: JudgedPools;
}

/**
 * Judges pools by the webhook's own rules, since they may have come in while no webhook was up. A pool whose new
 * configuration is refused goes on with its last valid one. A pool that never had a valid one gives no addresses, and
 * Services keep those that they have of it.
 */
export class PoolJudge {
  readonly #judge: LastValid<StoredPool & { readonly kind: string }>;

  constructor(namespace: string) {
    const view = emptyView(namespace);
    this.#judge = new LastValid((pool, pools) => faultsOf(pool, { ...view, pools }));
  }

  judge(
    stored: readonly StoredPool[],
    labelsOf: NamespaceLabels,
    reserved: Reserved = NOTHING_RESERVED,
  ): JudgedPools {
    // Items of a list do not say what they are.
    const objects = stored.map((pool) => ({ ...pool, apiVersion: API_VERSION, kind: addressPools.kind }));
    const judged = this.#judge.judge(objects);
    return {
      pools: new PoolSet(
        judged.map(({ object, effective }) =>
          compilePool(
            object.metadata.name,
            (effective ?? object).spec ?? {},
            effective !== undefined,
            reserved,
          ),
        ),
        labelsOf,
        reserved,
      ),
      faults: new Map(judged.map(({ object, faults }) => [object.metadata.name, faults])),
    };
  }
}
