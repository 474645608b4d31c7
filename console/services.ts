/** Services as the console lists them: what is broken first, and as much of it as a page shows. Pure. */
import type { OwnerRow } from "#cli/list/owners.ts";
import { type ServiceRow, servicesOf } from "#cli/list/services.ts";
import type { Snapshot } from "#cli/read.ts";
import type { World } from "#cli/world.ts";
import { type Rates, sumOf, type Traffic } from "#console/traffic.ts";

type SliceView = NonNullable<ReturnType<World["slices"]["get"]>>[number];

export interface ServiceLine extends Omit<ServiceRow, "ids"> {
  /** That attract its addresses. */
  readonly nodes: readonly string[];
  readonly pods: { readonly ready: number; readonly all: number };
  /** What comes in for it at all nodes; absent: it is among the busiest of none, or nobody measures. */
  readonly traffic?: Rates;
  /** One sentence: what is broken; absent if nothing is. */
  readonly trouble?: string;
}

export function serviceLines(
  snapshot: Snapshot<"loadBalancers" | "services">,
  world: World,
  { owners, traffic }: { readonly owners: readonly OwnerRow[]; readonly traffic: Traffic },
): readonly ServiceLine[] {
  const byService = new Map<string, OwnerRow[]>();
  for (const row of owners)
    for (const service of row.services) {
      const rows = byService.get(service);
      if (rows === undefined) byService.set(service, [row]);
      else rows.push(row);
    }
  const lines = servicesOf(snapshot, world.pools).map(({ ids: _, ...row }): ServiceLine => {
    const attracted = byService.get(row.service) ?? [];
    const pods = podsOf(world.slices.get(row.service) ?? []);
    const trouble = troubleOf(row, attracted, pods);
    const rates = sumOf(traffic.byService.get(row.service) ?? []);
    return {
      ...row,
      nodes: [...new Set(attracted.flatMap(({ nodes, unowned }) => (unowned === undefined ? nodes : [])))],
      pods,
      ...(rates !== undefined && { traffic: rates }),
      ...(trouble !== undefined && { trouble }),
    };
  });
  return [
    ...lines.filter(({ trouble }) => trouble !== undefined),
    ...lines.filter(({ trouble }) => trouble === undefined),
  ];
}

function podsOf(slices: readonly SliceView[]): ServiceLine["pods"] {
  const all = new Set<string>();
  const ready = new Set<string>();
  for (const { endpoints } of slices)
    for (const { address, isReady } of endpoints) {
      all.add(address);
      if (isReady) ready.add(address);
    }
  return { ready: ready.size, all: all.size };
}

/** The first of what a way to a pod needs that is not there. */
function troubleOf(
  { state, message, addresses }: Omit<ServiceRow, "ids">,
  attracted: readonly OwnerRow[],
  pods: ServiceLine["pods"],
): string | undefined {
  if (message !== undefined) return `${state}: ${message}`;
  if (addresses.length === 0) return "It has no address yet.";
  if (pods.ready === 0) return pods.all === 0 ? "It has no pod." : "No pod of it is ready.";
  const unowned = attracted.find((row) => row.unowned !== undefined);
  if (unowned !== undefined) return `Nobody attracts ${unowned.address}: ${unowned.unowned}.`;
  const differs = attracted.find(({ reportedBy }) => reportedBy !== undefined);
  if (differs?.reportedBy === undefined) return undefined;
  const by = differs.reportedBy;
  return by.length === 0
    ? `${differs.address} belongs to ${differs.nodes.join(", ")}, which does not report it.`
    : `${differs.address} belongs to ${differs.nodes.join(", ")}, and ${by.join(", ")} reports it.`;
}
