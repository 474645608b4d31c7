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

export interface OwnerRow {
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

export function listOwners(snapshot: WorldSnapshot): Answer {
  const rows = ownersOf(worldOf(snapshot), snapshot.speakers);
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

/** `world`: that of the snapshot whose `statuses` they are; `plans`: its addresses, where they are known already. */
export function ownersOf(
  world: World,
  statuses: readonly SpeakerStatus[],
  plans: readonly AddressPlan[] = addressesOf(world),
): readonly OwnerRow[] {
  const cut = cutOf(statuses, world);
  return plans.map((plan) => rowOf(plan, world, cut));
}

const reported = (nodes: readonly string[]): string =>
  nodes.length === 0 ? "nobody reports it" : `reported by ${nodes.join(",")}`;

/** All addresses of ours; none while there is no LoadBalancer. */
export function addressesOf(world: World): readonly AddressPlan[] {
  const { loadBalancer } = world;
  if (loadBalancer === undefined || loadBalancer.isDeleting) return [];
  return new Planner().attract(viewOf(world, loadBalancer, { node: "" })).addresses;
}

/** Live nodes that own more than they report. */
function cutOf(statuses: readonly SpeakerStatus[], { speakers }: World): ReadonlySet<string> {
  const cut = statuses.filter(({ status }) => (status?.ownedCount ?? 0) > MAX_REPORTED);
  return new Set(cut.map(({ metadata }) => metadata.name).filter((node) => speakers.live.includes(node)));
}

function rowOf(plan: AddressPlan, { reporters, pools }: World, cut: ReadonlySet<string>): OwnerRow {
  const { vip, services, pool, candidates, owner, unowned } = plan;
  const nodes = owner === undefined ? candidates : [owner];
  const protocol = pools.get(pool)?.protocol ?? "";
  const found = reporters.get(vip) ?? [];
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
