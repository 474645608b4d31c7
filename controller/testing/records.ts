/** Records for tests: a Service with as little said as possible. */
import type { Family } from "#api/address.ts";
import { FORWARDING_CONDITION, type ForwardingIds, forwardingCondition } from "#api/forwarding-ids.ts";
import { ANNOTATION_ALLOCATED_FROM } from "#api/names.ts";
import type { Outcome } from "#controller/allocation/allocator.ts";
import { compilePool, PoolSet, type PoolSpec } from "#controller/allocation/pool.ts";
import type { Sharing } from "#controller/allocation/request.ts";
import type { ServiceCondition, ServiceRecord } from "#controller/allocation/service.ts";
import { sharingMark } from "#controller/allocation/sharing-mark.ts";

export function record(name: string, more: Partial<ServiceRecord> = {}): ServiceRecord {
  return {
    key: `default/${name}`,
    namespace: "default",
    name,
    uid: `uid-${name}`,
    resourceVersion: "1",
    createdAt: "2026-01-01T00:00:00Z",
    isTerminating: false,
    type: "LoadBalancer",
    loadBalancerClass: undefined,
    loadBalancerIp: undefined,
    families: ["IPv4"],
    familyPolicy: "SingleStack",
    ports: ["TCP/80"],
    selector: {},
    isLocal: false,
    labels: {},
    annotations: {},
    ingress: [],
    conditions: [],
    finalizers: [],
    hasOurFinalizer: false,
    ...more,
  };
}

export function poolSet(pools: Readonly<Record<string, PoolSpec | readonly string[]>>): PoolSet {
  return new PoolSet(
    Object.entries(pools).map(([name, spec]) =>
      compilePool(name, "length" in spec ? { addresses: spec } : spec, true),
    ),
  );
}

/** The condition of a Service that was given these ids. */
export function given(pools: readonly string[], ids: ForwardingIds, sharing?: Sharing): ServiceCondition {
  const condition = forwardingCondition(pools, ids, sharingMark(sharing));
  return { ...condition, lastTransitionTime: "2026-01-01T00:00:00Z" };
}

/** What a Service looks like once the outcome was written to it. */
export function written(before: ServiceRecord, outcome: Outcome | undefined): ServiceRecord {
  const allocation = outcome?.allocation;
  const { [ANNOTATION_ALLOCATED_FROM]: _pool, ...others } = before.annotations;
  const conditions = before.conditions.filter(({ type }) => type !== FORWARDING_CONDITION);
  if (allocation === undefined) return { ...before, annotations: others, conditions, ingress: [] };
  const pools = [...new Set(allocation.vips.map((vip) => vip.pool))];
  return {
    ...before,
    annotations: { ...others, [ANNOTATION_ALLOCATED_FROM]: pools.join(",") },
    conditions: [...conditions, given(pools, allocation.ids, allocation.sharing)],
    ingress: allocation.vips.map((vip) => ({ ip: vip.address, ipMode: "Proxy" })),
  };
}

export const DUAL: readonly Family[] = ["IPv4", "IPv6"];

/** The addresses of an outcome, for comparing. */
export function addressesOf(outcome: Outcome | undefined): readonly string[] {
  return outcome?.allocation?.vips.map((vip) => vip.address) ?? [];
}
