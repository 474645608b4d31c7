/** Records for tests: a Service with as little said as possible. */
import type { Family } from "#api/address.ts";
import { ANNOTATION_ALLOCATED_FROM, ANNOTATION_FORWARDING_IDS } from "#api/names.ts";
import type { Outcome } from "#controller/allocator.ts";
import { formatIds } from "#controller/forwarding-ids.ts";
import { compilePool, PoolSet, type PoolSpec } from "#controller/pool.ts";
import type { ServiceRecord } from "#controller/service.ts";

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

/** What a Service looks like once the outcome was written to it. */
export function written(before: ServiceRecord, outcome: Outcome | undefined): ServiceRecord {
  const allocation = outcome?.allocation;
  const {
    [ANNOTATION_ALLOCATED_FROM]: _pool,
    [ANNOTATION_FORWARDING_IDS]: _ids,
    ...others
  } = before.annotations;
  if (allocation === undefined) return { ...before, annotations: others, ingress: [] };
  return {
    ...before,
    annotations: {
      ...others,
      [ANNOTATION_ALLOCATED_FROM]: [...new Set(allocation.vips.map((vip) => vip.pool))].join(","),
      [ANNOTATION_FORWARDING_IDS]: formatIds(allocation.ids),
    },
    ingress: allocation.vips.map((vip) => ({ ip: vip.address, ipMode: "Proxy" })),
  };
}

export const DUAL: readonly Family[] = ["IPv4", "IPv6"];

/** The addresses of an outcome, for comparing. */
export function addressesOf(outcome: Outcome | undefined): readonly string[] {
  return outcome?.allocation?.vips.map((vip) => vip.address) ?? [];
}
