/** What an AddressPool's status says: how many addresses are given, and whether its configuration is valid. Pure. */
import { type Condition, ConditionType, setCondition } from "#api/v1beta1/conditions.ts";
import type { AddressPoolStatus } from "#api/v1beta1/generated/types.ts";
import type { Refusal } from "#api/v1beta1/refusal.ts";
import type { PoolUse } from "#controller/ledger.ts";

export interface PoolFacts {
  readonly generation: number | undefined;
  readonly use: PoolUse;
  readonly refusals: readonly Refusal[];
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
  const conditions = setCondition(before, validCondition(facts), now);
  if (conditions === before && COUNTS.every((name) => present?.[name] === counts[name])) return undefined;
  return { ...counts, conditions: [...conditions] };
}

function validCondition({ refusals, generation }: PoolFacts): Omit<Condition, "lastTransitionTime"> {
  const isValid = refusals.length === 0;
  return {
    type: ConditionType.Valid,
    status: isValid ? "True" : "False",
    reason: isValid ? "Accepted" : "Refused",
    message: refusals.map((refusal) => refusal.message).join("\n"),
    ...(generation === undefined ? {} : { observedGeneration: generation }),
  };
}

/** A /64 has more addresses than JSON numbers are exact for, and than the int64 of the schema. */
function countOf(count: bigint): number {
  return count > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(count);
}
