/**
 * `genkan owners`: which node attracts which address. All speakers work that out alike, so it is worked out here by their
 * own planner; what the owner itself reports stands beside it where it says otherwise. Pure.
 */
import { type Answer, EXIT } from "#cli/answer.ts";
import { table } from "#cli/table.ts";
import { viewOf, type World, type WorldSnapshot, worldOf } from "#cli/world.ts";
import type { SpeakerStatus } from "#common/kube/resource.ts";
import type { AddressPlan } from "#speaker/plan/addresses.ts";
import { Planner } from "#speaker/plan/plan.ts";

export type OwnersSnapshot = WorldSnapshot;

interface Row {
  readonly address: string;
  readonly services: readonly string[];
  readonly pool: string;
  /** Of the pool: layer2 or bgp. */
  readonly protocol: string;
  /** Layer 2: the owner. BGP: all that advertise it. */
  readonly nodes: readonly string[];
  readonly candidates: readonly string[];
  /** Why no node does. */
  readonly unowned?: string;
  /** Layer 2: live nodes that report it as theirs, if they are not just the owner. */
  readonly reportedBy?: readonly string[];
}

/** Every speaker reports so many addresses at most (speaker/report/status.ts). */
const MAX_REPORTED = 1_000;

export function listOwners(snapshot: OwnersSnapshot): Answer {
  const world = worldOf(snapshot);
  const reports = reportsOf(snapshot.speakers, world);
  const rows = addressesOf(world).map((plan) => rowOf(plan, reports, world.pools.get(plan.pool)?.protocol));
  const lines = rows.map((row) => [
    row.address,
    row.services.join(","),
    row.pool,
    row.protocol,
    row.unowned ?? row.nodes.join(","),
    row.candidates.length,
    row.reportedBy === undefined ? undefined : reported(row.reportedBy),
  ]);
  const isSettled = rows.every(
    ({ unowned, reportedBy }) => unowned === undefined && reportedBy === undefined,
  );
  return {
    text: table(["ADDRESS", "SERVICES", "POOL", "PROTOCOL", "NODES", "CANDIDATES", "DIFFERS"], lines),
    value: { addresses: rows },
    exitCode: isSettled ? EXIT.well : EXIT.notWell,
  };
}

const reported = (nodes: readonly string[]): string =>
  nodes.length === 0 ? "nobody reports it" : `reported by ${nodes.join(",")}`;

/** All addresses of ours; none while there is no LoadBalancer. */
export function addressesOf(world: World): readonly AddressPlan[] {
  const { loadBalancer } = world;
  if (loadBalancer === undefined || loadBalancer.isDeleting) return [];
  return new Planner().attract(viewOf(world, loadBalancer, { node: "" })).addresses;
}

interface Reports {
  /** Address -> live nodes that report it. */
  readonly owners: ReadonlyMap<string, readonly string[]>;
  /** Live nodes that own more than they report. */
  readonly cut: ReadonlySet<string>;
}

function reportsOf(statuses: readonly SpeakerStatus[], { speakers }: World): Reports {
  const owners = new Map<string, string[]>();
  const cut = new Set<string>();
  for (const { metadata, status } of statuses) {
    if (!speakers.live.includes(metadata.name)) continue;
    if ((status?.ownedCount ?? 0) > MAX_REPORTED) cut.add(metadata.name);
    for (const { address } of status?.addresses ?? [])
      owners.set(address, [...(owners.get(address) ?? []), metadata.name]);
  }
  return { owners, cut };
}

function rowOf(plan: AddressPlan, { owners, cut }: Reports, protocol = ""): Row {
  const { vip, services, pool, candidates, owner, unowned } = plan;
  const nodes = owner === undefined ? candidates : [owner];
  const found = owners.get(vip) ?? [];
  const isCut = found.length === 0 && owner !== undefined && cut.has(owner);
  const isAsReported = protocol === "bgp" || found.join() === (owner ?? "") || isCut;
  return {
    address: vip,
    services,
    pool,
    protocol,
    nodes,
    candidates,
    ...(unowned !== undefined && { unowned }),
    ...(!isAsReported && { reportedBy: found }),
  };
}
