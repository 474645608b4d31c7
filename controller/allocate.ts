/**
 * Which addresses a Service keeps and which it gets. Pure: reads the ledger (without the Service's own entry), changes
 * nothing. What a Service has it keeps for as long as the rules let it; only what is missing is looked for.
 */
import { type Family, formatAddress, parseAddress } from "#api/address.ts";
import {
  holdersAgree,
  inNoPool,
  lacksFamily,
  mayGive,
  mayKeep,
  poolIsRequested,
  quotaAllows,
} from "#controller/checks.ts";
import type { Holding } from "#controller/holding.ts";
import type { Ledger, Vip } from "#controller/ledger.ts";
import type { Pool } from "#controller/pool.ts";
import { type Refusal, RefusalReason, refuse } from "#controller/refusal.ts";
import type { AllocationRequest } from "#controller/request.ts";

/** An address that the Service had, and why it may not keep it. */
export interface Lost {
  readonly address: string;
  readonly refusal: Refusal;
}

export interface Kept {
  readonly vips: readonly Vip[];
  readonly lost: readonly Lost[];
}

/** The same object for the many that come without an address: they are kept. */
const NOTHING_HELD: Kept = { vips: [], lost: [] };

/** Adoption: of the addresses that the Service has (canonical or not), those that it may keep. */
export function keep(request: AllocationRequest, held: readonly string[], ledger: Ledger): Kept {
  if (held.length === 0) return NOTHING_HELD;
  const vips: Vip[] = [];
  const lost: Lost[] = [];
  for (const text of held) {
    const found = locate(text, ledger);
    if ("reason" in found) {
      lost.push({ address: text, refusal: found });
      continue;
    }
    // A second address of one family is nothing that we ever gave.
    const isSurplus = vips.some((vip) => vip.family === found.vip.family);
    const refusal = isSurplus
      ? refuse(RefusalReason.FamilyMismatch, `${text} is a second address of ${found.vip.family}`)
      : mayKeep(found, request, ledger);
    if (refusal === undefined) vips.push(found.vip);
    else lost.push({ address: text, refusal });
  }
  return { vips: vips.sort(byFamily), lost };
}

const GIVEN_BY_NO_POOL: readonly RefusalReason[] = [
  RefusalReason.AddressNotInPool,
  RefusalReason.AddressAvoided,
  RefusalReason.SubnetRouterAddress,
];

/**
 * Of the addresses that were lost because no pool had them, those that a pool has again that would give the Service one
 * now: a pool that was away for a while, under whatever name, moves nobody who got no other meanwhile.
 */
export function regain(request: AllocationRequest, lost: readonly Lost[], ledger: Ledger): readonly string[] {
  return lost
    .filter(({ address, refusal }) => {
      if (!GIVEN_BY_NO_POOL.includes(refusal.reason)) return false;
      const found = locate(address, ledger);
      if ("reason" in found) return false;
      const { pool } = found;
      const isAsked = pool.autoAssign || request.pool !== undefined || request.addresses.length > 0;
      // A quota counts what all have, and here not all have theirs yet.
      return isAsked && !pool.quotas.has(request.namespace) && mayGive(pool, request, ledger) === undefined;
    })
    .map(({ address }) => address);
}

function locate(text: string, ledger: Ledger): { readonly vip: Vip; readonly pool: Pool } | Refusal {
  const address = parseAddress(text);
  if (address === undefined) return refuse(RefusalReason.AddressNotInPool, `${text} is in no AddressPool`);
  const pool = ledger.pools.poolOf(address.family, address.value);
  if (pool === undefined) return inNoPool(address.family, address.value, ledger);
  return { vip: vipOf(pool, address.family, address.value), pool };
}

export interface Filled {
  readonly vips: readonly Vip[];
  /** Set if something that the Service must have is missing. */
  readonly refusal: Refusal | undefined;
}

/**
 * Completes what the Service has:
 * - requested addresses first; if one of them is refused the Service has nothing, for it asked for something else;
 * - a missing family from the pool of the family that is there, so that both come from one pool;
 * - else from the first pool, in the order of preference, that has all families. PreferDualStack takes one family,
 *   the Service's first if it can be had, only when no pool has both.
 */
export function fill(request: AllocationRequest, kept: readonly Vip[], ledger: Ledger): Filled {
  const missing = request.families.filter((family) => !kept.some((vip) => vip.family === family));
  if (missing.length === 0) return { vips: kept, refusal: undefined };
  const requested = giveRequested({ request, kept, missing }, ledger);
  if ("reason" in requested) return { vips: [], refusal: requested };
  const present = [...kept, ...requested].sort(byFamily);
  const rest = missing.filter((family) => !requested.some((vip) => vip.family === family));
  if (rest.length === 0) return { vips: present, refusal: undefined };
  if (present.length === 0) return giveFresh(request, ledger);
  return giveSecond({ request, kept, present, family: rest[0] ?? "IPv4" }, ledger);
}

interface Wanting {
  readonly request: AllocationRequest;
  readonly kept: readonly Vip[];
  readonly missing: readonly Family[];
}

function giveRequested({ request, kept, missing }: Wanting, ledger: Ledger): readonly Vip[] | Refusal {
  const vips: Vip[] = [];
  for (const { family, value, text, field } of request.addresses) {
    if (!missing.includes(family)) continue;
    const pool = ledger.pools.poolOf(family, value);
    if (pool === undefined) return inNoPool(family, value, { pools: ledger.pools, field });
    if (poolIsRequested(pool, request) !== undefined) {
      const wanted = request.pool?.name ?? "";
      const message = `${field}: ${text} is in AddressPool "${pool.name}", annotation ${request.pool?.field ?? ""} asks for "${wanted}"`;
      return refuse(RefusalReason.AddressNotInPool, message);
    }
    const other = [...kept, ...vips].find((vip) => vip.pool !== pool.name);
    if (other !== undefined) {
      const message = `${field}: ${other.address} is in AddressPool "${other.pool}" and ${text} in "${pool.name}": both must be of one pool`;
      return refuse(RefusalReason.AddressNotInPool, message);
    }
    const vip = vipOf(pool, family, value);
    const refusal =
      mayGive(pool, request, ledger) ??
      holdersAgree(vip, request, ledger) ??
      quotaAllows(pool, [...kept, ...vips, vip], request, ledger);
    if (refusal !== undefined) return refuse(refusal.reason, `${field}: ${text} refused: ${refusal.message}`);
    vips.push(vip);
  }
  return vips;
}

interface Second {
  readonly request: AllocationRequest;
  readonly kept: readonly Vip[];
  /** One address, kept or requested. */
  readonly present: readonly Vip[];
  readonly family: Family;
}

/** The other family for a Service that has one. */
function giveSecond({ request, kept, present, family }: Second, ledger: Ledger): Filled {
  const pool = ledger.pools.get(present[0]?.pool ?? "");
  // What the Service has is not in the ledger, and counts too.
  const given = pool === undefined ? undefined : give(pool, [family], request, { ledger, besides: present });
  if (given !== undefined && !("reason" in given)) {
    return { vips: [...present, ...given].sort(byFamily), refusal: undefined };
  }
  if (request.policy !== "RequireDualStack") return { vips: present, refusal: undefined };
  const refusal = given ?? exhausted([], [family]);
  // An address that was asked for stands or falls with the whole request; one that is there may move, both together.
  if (kept.length === 0) return { vips: [], refusal };
  if (request.addresses.length > 0) return { vips: kept, refusal };
  const moved = giveFresh(request, ledger);
  return moved.refusal === undefined ? moved : { vips: kept, refusal };
}

function giveFresh(request: AllocationRequest, ledger: Ledger): Filled {
  const candidates = candidatesFor(request, ledger);
  if ("reason" in candidates) return { vips: [], refusal: candidates };
  const choices =
    request.policy === "PreferDualStack"
      ? [request.families, ...request.families.map((family) => [family])]
      : [request.families];
  let overQuota: Refusal | undefined;
  for (const families of choices) {
    for (const pool of candidates) {
      const given = give(pool, families, request, { ledger, besides: [] });
      if (!("reason" in given)) return { vips: given, refusal: undefined };
      if (given.reason === RefusalReason.QuotaExceeded) overQuota = given;
    }
  }
  return { vips: [], refusal: overQuota ?? whyNone(request, candidates) };
}

/** An address of each family out of one pool, or why not. `besides`: what the Service has or is to get of it as well. */
function give(
  pool: Pool,
  families: readonly Family[],
  request: AllocationRequest,
  { ledger, besides }: { readonly ledger: Ledger; readonly besides: readonly Vip[] },
): readonly Vip[] | Refusal {
  const closed = mayGive(pool, request, ledger);
  if (closed !== undefined) return closed;
  const vips: Vip[] = [];
  for (const family of families) {
    const vip = pick(pool, family, request, ledger);
    if (vip === undefined) return lacksFamily(pool, family) ?? exhausted([pool], families);
    vips.push(vip);
  }
  return quotaAllows(pool, [...besides, ...vips], request, ledger) ?? vips.sort(byFamily);
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
  const names = pools.slice(0, 5).map((pool) => `"${pool.name}"`);
  const more = pools.length > names.length ? ` and ${pools.length - names.length} more` : "";
  return refuse(
    RefusalReason.PoolExhausted,
    `AddressPool ${names.join(", ")}${more}: no free ${families.join(" and ")} address`,
  );
}

/** An address of the pool: one that the Service may share, else the lowest that is free. */
function pick(pool: Pool, family: Family, request: AllocationRequest, ledger: Ledger): Vip | undefined {
  if (request.sharing !== undefined) {
    for (const holding of ledger.sharedUnder(request.sharing.key)) {
      const { vip } = holding;
      if (vip.family === family && vip.pool === pool.name && hasRoom(holding, request)) return vip;
    }
  }
  const value = ledger.firstFree(pool, family);
  return value === undefined ? undefined : vipOf(pool, family, value);
}

/** What holdersAgree asks, without words: under one key many addresses may be looked at. */
function hasRoom(holding: Holding, request: AllocationRequest): boolean {
  if (holding.sharing?.backend !== request.sharing?.backend) return false;
  return request.ports.every((port) => holding.holderOf(port) === undefined);
}

function vipOf(pool: Pool, family: Family, value: bigint): Vip {
  return { family, value, address: formatAddress({ family, value }), pool: pool.name };
}

function byFamily(a: Vip, b: Vip): number {
  return a.family === b.family ? 0 : a.family === "IPv4" ? -1 : 1;
}
