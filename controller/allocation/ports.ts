/** Ports that a Service adds at the addresses that it has. Pure. */
import { firstOf } from "#api/and-more.ts";
import type { Share } from "#controller/allocation/keep.ts";
import type { Ledger, Vip } from "#controller/allocation/ledger.ts";
import { quotaAllowsPorts } from "#controller/allocation/quota.ts";
import { type Refusal, refuse } from "#controller/allocation/refusal.ts";
import type { AllocationRequest } from "#controller/allocation/request.ts";
import { portTaken } from "#controller/allocation/sharing.ts";

export interface PortsAdded {
  /** Those that it had and those that it gets, sorted. */
  readonly ports: readonly string[];
  /** The others. */
  readonly left: readonly string[];
  /** Why the others are left out: one that somebody holds before one that no quota has room for. */
  readonly refusal: Refusal | undefined;
}

/** How many ports a message names. */
const NAMED = 5;

/** A port that another Service holds is never taken from it; those that are free are had nevertheless. */
export function addPorts(request: AllocationRequest, { vips, ports }: Share, ledger: Ledger): PortsAdded {
  if (ports.length === request.ports.length) return { ports, left: [], refusal: undefined };
  const has = new Set(ports);
  const left: string[] = [];
  let taken: Refusal | undefined;
  let overQuota: Refusal | undefined;
  for (const port of request.ports) {
    if (has.has(port)) continue;
    const held = vips.map((vip) => portTaken(port, vip, request, ledger)).find((each) => each !== undefined);
    taken ??= held;
    // Once there is no room there is none for the next.
    if (held === undefined) overQuota ??= noRoom(vips, has.size + 1, request, ledger);
    if (held === undefined && overQuota === undefined) has.add(port);
    else left.push(port);
  }
  const all = left.length === 0 ? request.ports : request.ports.filter((port) => has.has(port));
  return { ports: all, left, refusal: taken ?? overQuota };
}

/** For a Service that keeps its addresses without some of its ports. */
export function leftOut({ left, refusal }: PortsAdded): Refusal | undefined {
  if (refusal === undefined) return undefined;
  return refuse(refusal.reason, `left out: ${firstOf(left, NAMED)}: ${refusal.message}`);
}

function noRoom(
  vips: readonly Vip[],
  ports: number,
  request: AllocationRequest,
  ledger: Ledger,
): Refusal | undefined {
  for (const name of new Set(vips.map((vip) => vip.pool))) {
    const pool = ledger.pools.get(name);
    const ours = vips.filter((vip) => vip.pool === name);
    const refusal = pool && quotaAllowsPorts(pool, { vips: ours, ports }, request, ledger);
    if (refusal !== undefined) return refusal;
  }
  return undefined;
}
