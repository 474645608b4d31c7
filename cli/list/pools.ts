/** `genkan pools`: what pools hold, and how much of it is given. Pure. */
import { type Answer, EXIT } from "#cli/answer.ts";
import type { Snapshot } from "#cli/read.ts";
import { table } from "#cli/table.ts";
import type { AddressPool } from "#common/kube/resource.ts";

export function listPools({ pools }: Snapshot<"pools">): Answer {
  const rows = poolsOf(pools);
  const lines = rows.map((row) => [
    row.pool,
    row.protocol,
    row.addresses.join(","),
    use(row.assigned.IPv4, row.available.IPv4),
    use(row.assigned.IPv6, row.available.IPv6),
    row.autoAssign ? "yes" : "no",
    row.state,
  ]);
  return {
    text: table(["POOL", "PROTOCOL", "ADDRESSES", "IPV4", "IPV6", "AUTO", "STATE"], lines),
    value: { pools: rows },
    exitCode: EXIT.well,
  };
}

export type PoolRow = ReturnType<typeof rowOf>;

/** Sorted by name. */
export const poolsOf = (pools: readonly AddressPool[]): readonly PoolRow[] =>
  pools.map(rowOf).sort((a, b) => (a.pool < b.pool ? -1 : 1));

function rowOf({ metadata, spec, status }: AddressPool) {
  const valid = status?.conditions?.find(({ type }) => type === "Valid");
  return {
    pool: metadata.name,
    protocol: spec.protocol,
    addresses: spec.addresses,
    assigned: { IPv4: status?.assignedIPv4 ?? 0, IPv6: status?.assignedIPv6 ?? 0 },
    available: { IPv4: status?.availableIPv4 ?? 0, IPv6: status?.availableIPv6 ?? 0 },
    autoAssign: spec.autoAssign ?? true,
    state: valid?.reason ?? "NotJudged",
    ...(valid !== undefined && valid.message !== "" && { message: valid.message }),
  };
}

/** `3 of 256`. The status says 2^53-1 where there are more than that (config/crd/genkan.dev_addresspools.yaml). */
function use(assigned: number, available: number): string | undefined {
  if (assigned + available === 0) return undefined;
  return available >= Number.MAX_SAFE_INTEGER
    ? `${assigned} of 2^53 or more`
    : `${assigned} of ${assigned + available}`;
}
