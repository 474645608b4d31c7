/**
 * What a Service keeps of what it has. Pure: reads the ledger (without the Service's own entry), changes nothing. What
 * a Service has it keeps for as long as the rules let it.
 */
import { type Family, formatAddress, parseAddress } from "#api/address.ts";
import { inNoPool, mayGive, mayKeep } from "#controller/allocation/checks.ts";
import type { Ledger, Vip } from "#controller/allocation/ledger.ts";
import type { Pool } from "#controller/allocation/pool.ts";
import { type Refusal, RefusalReason, refuse } from "#controller/allocation/refusal.ts";
import type { AllocationRequest } from "#controller/allocation/request.ts";
import { mayMeet, portTaken } from "#controller/allocation/sharing.ts";

/** An address that the Service had, and why it may not keep it. */
export interface Lost {
  readonly address: string;
  readonly refusal: Refusal;
}

/** What a Service has, or is to have. */
export interface Share {
  readonly vips: readonly Vip[];
  /** At each of the addresses: those of request.ports that are its own there. */
  readonly ports: readonly string[];
}

export interface Kept extends Share {
  readonly lost: readonly Lost[];
}

/** What a Service had before it was looked at. */
export interface Held {
  /** Canonical or not. */
  readonly addresses: readonly string[];
  /** undefined: nobody knows; then it is all those that it asks for now. */
  readonly ports: readonly string[] | undefined;
}

/** One object for the many Services that come without an address, to save memory. */
const NOTHING_HELD: Kept = { vips: [], ports: [], lost: [] };

/** Adoption: what the Service may keep of what it has. A port that it has not yet is no part of that. */
export function keep(request: AllocationRequest, held: Held, ledger: Ledger): Kept {
  if (held.addresses.length === 0) return NOTHING_HELD;
  const vips: Vip[] = [];
  const lost: Lost[] = [];
  const claimed = held.ports === undefined ? request.ports : intersection(request.ports, held.ports);
  const isFree = (port: string, vip: Vip): boolean => portTaken(port, vip, request, ledger) === undefined;
  for (const text of held.addresses) {
    const found = locate(text, ledger);
    if ("reason" in found) {
      lost.push({ address: text, refusal: found });
      continue;
    }
    // We never give two addresses of one family: somebody else wrote the second one.
    const isSurplus = vips.some((vip) => vip.family === found.vip.family);
    const refusal = isSurplus
      ? refuse(RefusalReason.FamilyMismatch, `${text} is a second address of ${found.vip.family}`)
      : (mayKeep(found, request, ledger) ?? allTaken(claimed, found.vip, request, ledger));
    if (refusal === undefined) vips.push(found.vip);
    else lost.push({ address: text, refusal });
  }
  if (vips.length === 0) return { ...NOTHING_HELD, lost };
  const ports = claimed.filter((port) => vips.every((vip) => isFree(port, vip)));
  // Almost always these are all of them: then the same list is used, which saves memory with thousands of Services.
  return { vips: vips.sort(byFamily), ports: ports.length === claimed.length ? claimed : ports, lost };
}

function intersection(wanted: readonly string[], held: readonly string[]): readonly string[] {
  const has = new Set(held);
  return wanted.every((port) => has.has(port)) ? wanted : wanted.filter((port) => has.has(port));
}

/** Two Services claim every port of one address: the older one keeps it. */
function allTaken(
  claimed: readonly string[],
  vip: Vip,
  request: AllocationRequest,
  ledger: Ledger,
): Refusal | undefined {
  let first: Refusal | undefined;
  for (const port of claimed) {
    const taken = portTaken(port, vip, request, ledger);
    if (taken === undefined) return undefined;
    first ??= taken;
  }
  return first;
}

const GIVEN_BY_NO_POOL: readonly RefusalReason[] = [
  RefusalReason.AddressNotInPool,
  RefusalReason.AddressAvoided,
  RefusalReason.SubnetRouterAddress,
];

/**
 * Addresses that were lost because no pool had them, and that a pool has again and would give to the Service now. So a
 * pool that was away for a while, even under another name, moves no Service that got nothing else meanwhile.
 */
export function regain(request: AllocationRequest, lost: readonly Lost[], ledger: Ledger): readonly string[] {
  return lost
    .filter(({ address, refusal }) => {
      if (!GIVEN_BY_NO_POOL.includes(refusal.reason)) return false;
      const found = locate(address, ledger);
      if ("reason" in found) return false;
      const { pool } = found;
      // It lost the address in between, so it has to ask to share it like any other Service.
      const holding = ledger.holding(found.vip.address);
      if (holding !== undefined && !mayMeet(holding, request.namespace, pool)) return false;
      const isAsked = pool.autoAssign || request.pool !== undefined || request.addresses.length > 0;
      // Quotas are not asked here: they count what all Services have, and some are not in the ledger yet.
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

export function vipOf(pool: Pool, family: Family, value: bigint): Vip {
  return { family, value, address: formatAddress({ family, value }), pool: pool.name };
}

export function byFamily(a: Vip, b: Vip): number {
  return a.family === b.family ? 0 : a.family === "IPv4" ? -1 : 1;
}
