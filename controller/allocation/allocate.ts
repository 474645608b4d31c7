/**
 * Gives a Service what it lacks beside what it keeps (keep.ts). Pure: reads the ledger (without the Service's own
 * entry) and changes nothing.
 */

import type { Family } from "#api/address.ts";
import { firstOf } from "#api/and-more.ts";
import { inNoPool, isFreeToGive, lacksFamily, mayGive } from "#controller/allocation/checks.ts";
import { byFamily, type Lost, type Share, vipOf } from "#controller/allocation/keep.ts";
import type { Ledger, Vip } from "#controller/allocation/ledger.ts";
import { isReserved, type Pool } from "#controller/allocation/pool.ts";
import { addPorts, leftOut } from "#controller/allocation/ports.ts";
import { quotaAllows } from "#controller/allocation/quota.ts";
import { type Refusal, RefusalReason, refuse } from "#controller/allocation/refusal.ts";
import type { AllocationRequest } from "#controller/allocation/request.ts";
import { hasRoom, mayJoin } from "#controller/allocation/sharing.ts";

export interface Filled extends Share {
  /** Set if something that the Service must have is missing. */
  readonly refusal: Refusal | undefined;
  /** The addresses that it had and gives up for this. */
  readonly lost: readonly Lost[];
}

interface FillRules {
  /** kube-proxy forwards all ports of a Service, so none of them can be left out. */
  readonly isWhole: boolean;
}

/**
 * Completes what the Service has: its ports first, then its addresses. A port that another Service has there is left
 * out; where that leaves none, or a port cannot be left out, the Service looks for another address.
 */
export function fill(
  request: AllocationRequest,
  kept: Share,
  ledger: Ledger,
  { isWhole }: FillRules,
): Filled {
  if (kept.vips.length === 0) return fillAddresses(request, { vips: [], ports: request.ports }, ledger);
  const added = addPorts(request, kept, ledger);
  const { ports, refusal } = added;
  if (refusal?.reason === RefusalReason.SharingConflict && (isWhole || ports.length === 0)) {
    const lost = kept.vips.map(({ address }) => ({ address, refusal }));
    return { ...fillAddresses(request, { vips: [], ports: request.ports }, ledger), lost };
  }
  const filled = fillAddresses(request, { vips: kept.vips, ports }, ledger);
  const isComplete = filled.ports.length === request.ports.length || filled.vips.length === 0;
  return { ...filled, refusal: filled.refusal ?? (isComplete ? undefined : leftOut(added)) };
}

/**
 * - requested addresses first; if one of them is refused the Service has nothing, for it asked for something else;
 * - a missing family from the pool of the family that is there, so that both come from one pool;
 * - else from the first pool, in the order of preference, that has all families. PreferDualStack takes one family,
 *   the Service's first if it can be had, only when no pool has both.
 */
function fillAddresses(request: AllocationRequest, kept: Share, ledger: Ledger): Filled {
  const { ports } = kept;
  const missing = request.families.filter((family) => !kept.vips.some((vip) => vip.family === family));
  if (missing.length === 0) return { ...kept, refusal: undefined, lost: [] };
  const requested = giveRequested({ request, kept, missing }, ledger);
  if ("reason" in requested) return { vips: [], ports: [], refusal: requested, lost: [] };
  const present = [...kept.vips, ...requested].sort(byFamily);
  const rest = missing.filter((family) => !requested.some((vip) => vip.family === family));
  const [family] = rest;
  if (family === undefined) return { vips: present, ports, refusal: undefined, lost: [] };
  const [first] = present;
  if (first === undefined) return giveFresh(request, ledger);
  return giveSecond({ request, kept, first, family }, ledger);
}

interface Wanting {
  readonly request: AllocationRequest;
  readonly kept: Share;
  readonly missing: readonly Family[];
}

function giveRequested({ request, kept, missing }: Wanting, ledger: Ledger): readonly Vip[] | Refusal {
  const vips: Vip[] = [];
  for (const { family, value, text, field } of request.addresses) {
    if (!missing.includes(family)) continue;
    const pool = ledger.pools.poolOf(family, value);
    if (pool === undefined) return inNoPool(family, value, { pools: ledger.pools, field });
    const asked = request.pool;
    if (asked !== undefined && asked.name !== pool.name) {
      const message = `${field}: ${text} is in AddressPool "${pool.name}", annotation ${asked.field} asks for "${asked.name}"`;
      return refuse(RefusalReason.AddressNotInPool, message);
    }
    const other = [...kept.vips, ...vips].find((vip) => vip.pool !== pool.name);
    if (other !== undefined) {
      const message = `${field}: ${other.address} is in AddressPool "${other.pool}" and ${text} in "${pool.name}": both must be of one pool`;
      return refuse(RefusalReason.AddressNotInPool, message);
    }
    const vip = vipOf(pool, family, value);
    const refusal =
      mayGive(pool, request, ledger) ??
      isFreeToGive(vip, pool, ledger) ??
      mayJoin(vip, kept.ports, request, ledger) ??
      quotaAllows(pool, { vips: [...kept.vips, ...vips, vip], ports: kept.ports.length }, request, ledger);
    if (refusal !== undefined) return refuse(refusal.reason, `${field}: ${text} refused: ${refusal.message}`);
    vips.push(vip);
  }
  return vips;
}

interface Second {
  readonly request: AllocationRequest;
  readonly kept: Share;
  /** The address that it has, kept or requested. */
  readonly first: Vip;
  readonly family: Family;
}

/** The other family for a Service that has one. */
function giveSecond({ request, kept, first, family }: Second, ledger: Ledger): Filled {
  const pool = ledger.pools.get(first.pool);
  const { ports } = kept;
  // The ledger is without the Service: what it has already counts against the quota, too.
  const given = pool && give(pool, [family], request, { ledger, ports, besides: [first] });
  if (given !== undefined && !("reason" in given)) {
    return { vips: [first, ...given].sort(byFamily), ports, refusal: undefined, lost: [] };
  }
  if (request.policy !== "RequireDualStack") return { vips: [first], ports, refusal: undefined, lost: [] };
  const refusal = given ?? exhausted([], [family]);
  // A requested address is given only with the whole request. Kept addresses may move to another pool together.
  if (kept.vips.length === 0) return { vips: [], ports: [], refusal, lost: [] };
  if (request.addresses.length > 0) return { ...kept, refusal, lost: [] };
  const moved = giveFresh(request, ledger);
  return moved.refusal === undefined ? moved : { ...kept, refusal, lost: [] };
}

function giveFresh(request: AllocationRequest, ledger: Ledger): Filled {
  const candidates = candidatesFor(request, ledger);
  if ("reason" in candidates) return { vips: [], ports: [], refusal: candidates, lost: [] };
  const { ports } = request;
  const choices =
    request.policy === "PreferDualStack"
      ? [request.families, ...request.families.map((family) => [family])]
      : [request.families];
  let overQuota: Refusal | undefined;
  for (const families of choices) {
    for (const pool of candidates) {
      const given = give(pool, families, request, { ledger, ports, besides: [] });
      if (!("reason" in given)) return { vips: given, ports, refusal: undefined, lost: [] };
      if (given.reason === RefusalReason.QuotaExceeded) overQuota = given;
    }
  }
  return { vips: [], ports: [], refusal: overQuota ?? whyNone(request, candidates), lost: [] };
}

interface Giving {
  readonly ledger: Ledger;
  /** The ports that the Service is to have at each address. */
  readonly ports: readonly string[];
  /** What the Service has or is to get of the pool as well. */
  readonly besides: readonly Vip[];
}

/** One address of each family, all of one pool; or the reason why not. */
function give(
  pool: Pool,
  families: readonly Family[],
  request: AllocationRequest,
  { ledger, ports, besides }: Giving,
): readonly Vip[] | Refusal {
  const closed = mayGive(pool, request, ledger);
  if (closed !== undefined) return closed;
  const vips: Vip[] = [];
  for (const family of families) {
    const vip = pick(pool, family, request, { ledger, ports });
    if (vip === undefined) return lacksFamily(pool, family) ?? exhausted([pool], families);
    vips.push(vip);
  }
  const wanted = { vips: [...besides, ...vips], ports: ports.length };
  return quotaAllows(pool, wanted, request, ledger) ?? vips.sort(byFamily);
}

/** The pools that may serve a Service without an address, in the order in which they are asked. */
function candidatesFor(request: AllocationRequest, ledger: Ledger): readonly Pool[] | Refusal {
  if (request.pool !== undefined) {
    const pool = ledger.pools.get(request.pool.name);
    if (pool === undefined) {
      return refuse(
        RefusalReason.UnknownPool,
        `annotation ${request.pool.field}: there is no AddressPool "${request.pool.name}"`,
      );
    }
    return mayGive(pool, request, ledger) ?? [pool];
  }
  const all = ledger.pools.list();
  const candidates = all.filter((pool) => pool.autoAssign && mayGive(pool, request, ledger) === undefined);
  if (candidates.length > 0) return candidates;
  const message =
    all.length === 0
      ? "there is no AddressPool"
      : `none of the ${all.length} AddressPools gives addresses to this Service by itself (spec.autoAssign, spec.serviceAllocation, condition Valid)`;
  return refuse(RefusalReason.NoMatchingPool, message);
}

function whyNone(request: AllocationRequest, candidates: readonly Pool[]): Refusal {
  const needed = request.policy === "PreferDualStack" ? request.families.slice(0, 1) : request.families;
  const lacking = candidates.map((pool) =>
    needed.map((family) => lacksFamily(pool, family)).find((refusal) => refusal !== undefined),
  );
  const able = candidates.filter((_pool, at) => lacking[at] === undefined);
  return able.length === 0 ? (lacking[0] ?? exhausted(candidates, needed)) : exhausted(able, needed);
}

function exhausted(pools: readonly Pool[], families: readonly Family[]): Refusal {
  const names = pools.map((pool) => `"${pool.name}"`);
  return refuse(
    RefusalReason.PoolExhausted,
    `AddressPool ${firstOf(names, 5)}: no free ${families.join(" and ")} address`,
  );
}

/** An address of the pool: one that the Service may share, else the lowest that is free. */
function pick(
  pool: Pool,
  family: Family,
  request: AllocationRequest,
  { ledger, ports }: Pick<Giving, "ledger" | "ports">,
): Vip | undefined {
  if (request.sharing !== undefined) {
    const { namespace } = request;
    for (const holding of ledger.sharedUnder(request.sharing.key, pool, family, namespace)) {
      if (isReserved(pool, family, holding.vip.value)) continue;
      if (hasRoom(holding, ports, request, pool)) return holding.vip;
    }
  }
  const value = ledger.firstFree(pool, family);
  return value === undefined ? undefined : vipOf(pool, family, value);
}
