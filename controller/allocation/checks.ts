/**
 * The rules of allocation, one function each: may this Service have (or keep) this address of this pool? The first
 * that says no gives reason and message. They read the ledger without the Service's own entry.
 */
import { type Family, formatAddress } from "#api/address.ts";
import type { Ledger, Vip } from "#controller/allocation/ledger.ts";
import { excludes, familiesOf, isReserved, type Pool, type PoolSet } from "#controller/allocation/pool.ts";
import { type Refusal, RefusalReason, refuse } from "#controller/allocation/refusal.ts";
import type { AllocationRequest } from "#controller/allocation/request.ts";
import { holdersAgree } from "#controller/allocation/sharing.ts";
import { LeftOut } from "#controller/allocation/skip.ts";

type PoolRule = (pool: Pool, request: AllocationRequest, ledger: Ledger) => Refusal | undefined;
type VipRule = (vip: Vip, request: AllocationRequest, ledger: Ledger) => Refusal | undefined;

/** The Service's pool annotation, if there is one, names this pool. */
function poolIsRequested(pool: Pool, request: AllocationRequest): Refusal | undefined {
  if (request.pool === undefined || request.pool.name === pool.name) return undefined;
  const { name, field } = request.pool;
  return refuse(
    RefusalReason.NotRequested,
    `annotation ${field} asks for pool "${name}", the address is of pool "${pool.name}"`,
  );
}

/** The pool's configuration is valid: only a valid one gives new addresses. */
function poolIsOpen(pool: Pool): Refusal | undefined {
  if (pool.isOpen) return undefined;
  return refuse(
    RefusalReason.InvalidPool,
    `AddressPool "${pool.name}" is not valid (see its condition Valid): it gives no new addresses`,
  );
}

/** spec.serviceAllocation of the pool admits the Service. */
function poolAdmits(pool: Pool, request: AllocationRequest, ledger: Ledger): Refusal | undefined {
  const part = excludes(pool, request, ledger.pools.labelsOf);
  if (part === undefined) return undefined;
  const why =
    part === "namespaces"
      ? `namespace "${request.namespace}" is neither in spec.serviceAllocation.namespaces nor selected by namespaceSelectors`
      : "no selector of spec.serviceAllocation.serviceSelectors matches the Service's labels";
  return refuse(RefusalReason.PoolNotAllowed, `AddressPool "${pool.name}": ${why}`);
}

/** The family is one of the Service's. */
function familyIsWanted(vip: Vip, request: AllocationRequest): Refusal | undefined {
  if (request.families.includes(vip.family)) return undefined;
  return refuse(
    RefusalReason.FamilyMismatch,
    `${vip.address} is ${vip.family}, the Service's spec.ipFamilies are ${request.families.join(", ")}`,
  );
}

/** If the Service asks for an address of that family, it is this one. */
function addressIsRequested(vip: Vip, request: AllocationRequest): Refusal | undefined {
  const wanted = request.addresses.find((each) => each.family === vip.family);
  if (wanted === undefined || wanted.value === vip.value) return undefined;
  return refuse(
    RefusalReason.NotRequested,
    `${wanted.field} asks for ${wanted.text} instead of ${vip.address}`,
  );
}

/** The cluster itself does not use the address. */
export function isFreeToGive(vip: Vip, pool: Pool, { pools }: Ledger): Refusal | undefined {
  if (!isReserved(pool, vip.family, vip.value)) return undefined;
  const why = pools.reserved.why(vip.family, vip.value) ?? "the cluster uses it";
  return refuse(RefusalReason.AddressReserved, `AddressPool "${pool.name}" does not give it: ${why}`);
}

/** Asked of a pool before it gives a new address. */
const GIVE_POOL: readonly PoolRule[] = [poolIsOpen, poolAdmits];
/** Asked of a pool whose address the Service has: autoAssign and the validity of the pool do not matter for that. */
const KEEP_POOL: readonly PoolRule[] = [poolIsRequested, poolAdmits];
const KEEP_VIP: readonly VipRule[] = [familyIsWanted, addressIsRequested, holdersAgree];

export function mayGive(pool: Pool, request: AllocationRequest, ledger: Ledger): Refusal | undefined {
  return first(GIVE_POOL, pool, request, ledger);
}

export function mayKeep(
  held: { readonly vip: Vip; readonly pool: Pool },
  request: AllocationRequest,
  ledger: Ledger,
): Refusal | undefined {
  return first(KEEP_POOL, held.pool, request, ledger) ?? first(KEEP_VIP, held.vip, request, ledger);
}

/** No pool gives the address: none has it in its ranges, or the one that has leaves it out. */
export function inNoPool(
  family: Family,
  value: bigint,
  { pools, field }: { readonly pools: PoolSet; readonly field?: string },
): Refusal {
  const what = `${field === undefined ? "" : `${field}: `}${formatAddress({ family, value })}`;
  const left = pools.leavesOut(family, value);
  if (left === undefined) return refuse(RefusalReason.AddressNotInPool, `${what} is in no AddressPool`);
  if (left.why === LeftOut.Buggy) {
    const words = `${what} is not given: AddressPool "${left.pool.name}" has spec.avoidBuggyIPs, which leaves out addresses that end in .0 or .255`;
    return refuse(RefusalReason.AddressAvoided, words);
  }
  return refuse(
    RefusalReason.SubnetRouterAddress,
    `${what} is not given: it is the subnet-router anycast address (RFC 4291) of a prefix of AddressPool "${left.pool.name}", which every router there answers for`,
  );
}

/** The pool has no range of a family at all: waiting for a free address would be in vain. */
export function lacksFamily(pool: Pool, family: Family): Refusal | undefined {
  if (pool.spaces[family].size > 0n) return undefined;
  return refuse(
    RefusalReason.FamilyNotInPool,
    `AddressPool "${pool.name}" has ${familiesOf(pool)} addresses, the Service needs ${family}`,
  );
}

function first<T>(
  rules: readonly ((subject: T, request: AllocationRequest, ledger: Ledger) => Refusal | undefined)[],
  subject: T,
  request: AllocationRequest,
  ledger: Ledger,
): Refusal | undefined {
  for (const rule of rules) {
    const refusal = rule(subject, request, ledger);
    if (refusal !== undefined) return refusal;
  }
  return undefined;
}
