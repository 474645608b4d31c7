/** AddressPools, namespaces and the LoadBalancer -> what allocation works with. Pure but for what it remembers. */
import { LOADBALANCER_NAME } from "#api/names.ts";
import { refusalsOf } from "#api/v1beta1/admission/judge.ts";
import type { AddressPool, LoadBalancer } from "#api/v1beta1/generated/types.ts";
import type { Refusal } from "#api/v1beta1/refusal.ts";
import type { AddressPool as StoredPool } from "#common/kube/resource.ts";
import type { IpMode } from "#controller/plan.ts";
import { compilePool, type NamespaceLabels, type Pool, PoolSet } from "#controller/pool.ts";

export interface Settings {
  readonly loadBalancerClass: string | undefined;
  readonly ipMode: IpMode;
}

/** undefined while there is no LoadBalancer, or it is being deleted: then nothing is allocated and nothing written. */
export function settingsOf(
  loadBalancer: Pick<LoadBalancer, "metadata" | "spec"> | undefined,
): Settings | undefined {
  if (loadBalancer === undefined || loadBalancer.metadata.deletionTimestamp !== undefined) return undefined;
  if (loadBalancer.metadata.name !== LOADBALANCER_NAME) return undefined;
  const { loadBalancerClass, forwarding } = loadBalancer.spec ?? {};
  return {
    loadBalancerClass: loadBalancerClass === "" ? undefined : loadBalancerClass,
    ipMode: forwarding?.mode === "KubeProxy" ? "VIP" : "Proxy",
  };
}

export interface JudgedPools {
  readonly pools: PoolSet;
  /** Pool -> why its present configuration is refused; empty if it is not. */
  readonly refusals: ReadonlyMap<string, readonly Refusal[]>;
}

/** A configuration that was found valid. */
interface Accepted {
  readonly uid: string;
  readonly spec: AddressPool["spec"];
  /** To tell whether it is still the same. */
  readonly text: string;
}

/**
 * Judges what came in with the webhook's own rules, for it may have come in while no webhook was up. Of pools that
 * cannot be together the one that was accepted before stays, else the oldest. A pool whose new configuration is
 * refused goes on with its last valid one; one that never had any gives nothing, and what is held of it stays.
 */
export class PoolJudge {
  readonly #namespace: string;
  readonly #accepted = new Map<string, Accepted>();

  constructor(namespace: string) {
    this.#namespace = namespace;
  }

  judge(stored: readonly StoredPool[], labelsOf: NamespaceLabels): JudgedPools {
    const names = new Set(stored.map((pool) => pool.metadata.name));
    for (const name of this.#accepted.keys()) if (!names.has(name)) this.#accepted.delete(name);
    const objects = stored.map(
      (pool): AddressPool =>
        ({ ...pool, apiVersion: "genkan.dev/v1beta1", kind: "AddressPool" }) as AddressPool,
    );
    const valid: AddressPool[] = [];
    const pools: Pool[] = [];
    const refusals = new Map<string, readonly Refusal[]>();
    for (const object of objects.sort((a, b) => this.#byStanding(a, b))) {
      const { name = "", uid = "" } = object.metadata;
      const found = this.#refusals(object, valid);
      refusals.set(name, found);
      if (found.length === 0) {
        valid.push(object);
        this.#accepted.set(name, { uid, spec: object.spec, text: JSON.stringify(object.spec) });
        pools.push(compilePool(name, object.spec, true));
        continue;
      }
      const last = this.#lastValid(object, valid);
      if (last !== undefined) valid.push(last);
      pools.push(compilePool(name, last?.spec ?? object.spec ?? {}, last !== undefined));
    }
    return { pools: new PoolSet(pools, labelsOf), refusals };
  }

  #refusals(object: AddressPool, pools: readonly AddressPool[]): readonly Refusal[] {
    return refusalsOf(object, { namespace: this.#namespace, pools, services: [] });
  }

  /** The object as it was when it was last valid, if it still is beside `pools`. */
  #lastValid(object: AddressPool, pools: readonly AddressPool[]): AddressPool | undefined {
    const accepted = this.#accepted.get(object.metadata.name ?? "");
    if (accepted === undefined || accepted.uid !== object.metadata.uid) return undefined;
    const last = { ...object, spec: accepted.spec };
    return this.#refusals(last, pools).length === 0 ? last : undefined;
  }

  /** Those whose configuration was accepted and is unchanged first; then by age; then by name. */
  #byStanding(a: AddressPool, b: AddressPool): number {
    const changed = (pool: AddressPool): number =>
      this.#accepted.get(pool.metadata.name ?? "")?.text === JSON.stringify(pool.spec) ? 0 : 1;
    if (changed(a) !== changed(b)) return changed(a) - changed(b);
    const age = (pool: AddressPool): string =>
      `${pool.metadata.creationTimestamp ?? ""} ${pool.metadata.name ?? ""}`;
    return age(a) < age(b) ? -1 : 1;
  }
}
