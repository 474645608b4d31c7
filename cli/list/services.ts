/** `genkan services`: Services of ours, what they got, and why not. Pure. */
import { forwardingIdsOf } from "#api/forwarding-ids.ts";
import { type Answer, EXIT } from "#cli/answer.ts";
import { balancerOf, conditionsOf, isOurs, refusalOf, vipsOf } from "#cli/ours.ts";
import type { Snapshot } from "#cli/read.ts";
import { ago, table } from "#cli/table.ts";
import { configurationOf } from "#cli/world.ts";
import type { Service } from "#common/kube/resource.ts";
import { keyOf } from "#common/kube/wire.ts";
import type { Pools } from "#speaker/known/pools.ts";

export interface ServiceRow {
  readonly service: string;
  readonly addresses: readonly string[];
  /** Pools that have them. */
  readonly pools: readonly string[];
  readonly ports: readonly string[];
  readonly externalTrafficPolicy: string;
  /** `Allocated`, or the reason of its condition. */
  readonly state: string;
  readonly message?: string;
  /** `IPv4/TCP/80` -> forwarding id. */
  readonly ids: Readonly<Record<string, number>>;
  readonly createdAt?: string;
}

export function listServices(
  snapshot: Snapshot<"loadBalancers" | "pools" | "services">,
  { inNamespace }: { readonly inNamespace?: string },
): Answer {
  const { pools } = configurationOf({ ...snapshot, peers: [] });
  const rows = servicesOf(snapshot, pools).filter(
    ({ service }) => inNamespace === undefined || service.startsWith(`${inNamespace}/`),
  );
  const lines = rows.map((row) => [
    row.service,
    row.addresses.join(","),
    row.pools.join(","),
    row.ports.join(","),
    row.externalTrafficPolicy,
    row.state,
    ago(row.createdAt, snapshot.at),
  ]);
  return {
    text: table(["SERVICE", "ADDRESSES", "POOL", "PORTS", "POLICY", "STATE", "AGE"], lines),
    value: { services: rows },
    exitCode: EXIT.well,
  };
}

/** All that are ours, sorted. */
export function servicesOf(
  { loadBalancers, services }: Snapshot<"loadBalancers" | "services">,
  pools: Pools,
): readonly ServiceRow[] {
  const balancer = balancerOf(loadBalancers);
  return services
    .filter((service) => isOurs(service, balancer?.spec?.loadBalancerClass))
    .map((service) => rowOf(service, (vip) => pools.of(vip)?.name))
    .sort((a, b) => (a.service < b.service ? -1 : 1));
}

function rowOf(service: Service, poolOf: (vip: string) => string | undefined): ServiceRow {
  const { metadata, spec } = service;
  const addresses = vipsOf(service);
  const refused = refusalOf(service);
  return {
    service: keyOf(service),
    addresses,
    pools: [...new Set(addresses.flatMap((vip) => poolOf(vip) ?? []))],
    ports: (spec?.ports ?? []).map(({ protocol, port }) => `${protocol ?? "TCP"}/${port}`),
    externalTrafficPolicy: spec?.externalTrafficPolicy ?? "Cluster",
    state: refused?.reason ?? (addresses.length > 0 ? "Allocated" : "Waiting"),
    ...(refused !== undefined && { message: refused.message }),
    ids: forwardingIdsOf(conditionsOf(service)),
    ...(metadata.creationTimestamp !== undefined && { createdAt: metadata.creationTimestamp }),
  };
}
