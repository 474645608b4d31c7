/** How much of a pool the Services of a namespace may have: addresses where it is said, ports always. Pure. */
import type { Ledger, NamespaceUse, Vip } from "#controller/allocation/ledger.ts";
import { DEFAULT_PORTS, type Pool } from "#controller/allocation/pool.ts";
import { type Refusal, RefusalReason, refuse } from "#controller/allocation/refusal.ts";
import type { AllocationRequest } from "#controller/allocation/request.ts";

/** What a Service is to have of a pool, all told. */
interface Wanted {
  readonly vips: readonly Vip[];
  /** At each of them. */
  readonly ports: number;
}

/**
 * With these addresses and ports of the pool the namespace stays within its quota. The ledger is without the Service's
 * own. What it has already it keeps, also when the quota is lowered: only what is new is asked about here.
 */
export function quotaAllows(
  pool: Pool,
  wanted: Wanted,
  request: AllocationRequest,
  ledger: Ledger,
): Refusal | undefined {
  const held = ledger.heldBy(request.namespace, pool.name);
  const added = addedBy(wanted, request, ledger);
  return addressesWithin(pool, held, added.addresses, request) ?? portsWithin(pool, held, added, request);
}

/** The same for a Service that has the addresses, and of ports alone. */
export function quotaAllowsPorts(
  pool: Pool,
  wanted: Wanted,
  request: AllocationRequest,
  ledger: Ledger,
): Refusal | undefined {
  const held = ledger.heldBy(request.namespace, pool.name);
  return portsWithin(pool, held, addedBy(wanted, request, ledger), request);
}

/** An address that another Service of the namespace holds is no new one. */
function addedBy({ vips, ports }: Wanted, { namespace }: AllocationRequest, ledger: Ledger): NamespaceUse {
  const added = vips.filter((vip) => ledger.holding(vip.address)?.isHeldIn(namespace) !== true);
  return { addresses: added.length, ports: ports * vips.length };
}

function addressesWithin(
  pool: Pool,
  held: NamespaceUse,
  added: number,
  { namespace }: AllocationRequest,
): Refusal | undefined {
  const limit = pool.quotas.get(namespace)?.addresses;
  if (limit === undefined || added === 0 || held.addresses + added <= limit) return undefined;
  const needed = added > 1 ? `, and this Service needs ${added}` : "";
  return refuse(
    RefusalReason.QuotaExceeded,
    `AddressPool "${pool.name}": namespace "${namespace}" has ${held.addresses} of the ${limit} addresses that spec.quotas gives it${needed}`,
  );
}

function portsWithin(
  pool: Pool,
  held: NamespaceUse,
  added: NamespaceUse,
  { namespace }: AllocationRequest,
): Refusal | undefined {
  const given = pool.quotas.get(namespace)?.ports;
  const { least, each } = DEFAULT_PORTS;
  const limit = given ?? Math.max(least, each * (held.addresses + added.addresses));
  if (held.ports + added.ports <= limit) return undefined;
  const rule =
    given === undefined
      ? `a namespace may have of it without a quota of its own (spec.quotas[].ports)`
      : `spec.quotas gives it`;
  return refuse(
    RefusalReason.QuotaExceeded,
    `AddressPool "${pool.name}": namespace "${namespace}" has ${held.ports} of the ${limit} ports that ${rule}, and this Service needs ${added.ports}`,
  );
}
