/** What an AddressPool's status says: how many addresses are given, and whether its configuration is valid. Pure. */
import type { Condition } from "#api/v1beta1/conditions.ts";
import type { Fault } from "#api/v1beta1/fault.ts";
import type { AddressPool, AddressPoolStatus } from "#api/v1beta1/generated/types.ts";
import { setJudgement } from "#api/v1beta1/valid-condition.ts";
import type { PoolUse } from "#controller/allocation/ledger.ts";

export interface PoolFacts {
  readonly pool: Pick<AddressPool, "metadata" | "spec">;
  readonly use: PoolUse;
  readonly faults: readonly Fault[];
}

const COUNTS = ["assignedIPv4", "assignedIPv6", "availableIPv4", "availableIPv6"] as const;

/** The status to write; undefined if `present` says it all already. */
export function planPoolStatus(
  present: AddressPoolStatus | undefined,
  facts: PoolFacts,
  now: Date,
): AddressPoolStatus | undefined {
  const { assigned, available } = facts.use;
  const counts = {
    assignedIPv4: countOf(assigned.IPv4),
    assignedIPv6: countOf(assigned.IPv6),
    availableIPv4: countOf(available.IPv4),
    availableIPv6: countOf(available.IPv6),
  };
  const before: readonly Condition[] = present?.conditions ?? [];
  const { generation } = facts.pool.metadata;
  const conditions = setJudgement(before, { faults: facts.faults, generation }, now);
  const observed = generation === undefined ? {} : { observedGeneration: generation };
  const isSame = conditions === before && present?.observedGeneration === observed.observedGeneration;
  if (isSame && COUNTS.every((name) => present?.[name] === counts[name])) return undefined;
  return { ...observed, ...counts, conditions: [...conditions] };
}

/** A /64 has more addresses than JSON numbers are exact for, and than the int64 of the schema. */
function countOf(count: bigint): number {
  return count > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(count);
}
