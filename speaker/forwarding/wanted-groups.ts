/** Sets that are of no single port: who may tunnel to this node, or hand on as it is, and what routers may send to it. Pure. */
import { FAMILIES, familyOf, mergeRanges, type Range, WIDTH } from "#api/address.ts";
import { addressKey, named, valueKey } from "#speaker/forwarding/elements.ts";
import type { SetElement } from "#speaker/forwarding/plan-port.ts";
import type { ForwardingInput } from "#speaker/forwarding/types.ts";

export function members({ members: all = [] }: ForwardingInput): SetElement[] {
  return [...new Set(all)].map((member) => [named("members", familyOf(member)), { key: addressKey(member) }]);
}

/** In both families: a rule for one asks only the set of that one. */
export function stations(all: readonly string[]): SetElement[] {
  return FAMILIES.flatMap((family) =>
    [...new Set(all)].map((key): SetElement => [named("stations", family), { key }]),
  );
}

export function routed(ranges: readonly Range[]): SetElement[] {
  return mergeRanges(ranges).map(({ family, first, last }) => {
    const all = (1n << BigInt(WIDTH[family])) - 1n;
    return [
      named("routed", family),
      {
        key: valueKey(family, first) + valueKey(family, 0n),
        keyEnd: valueKey(family, last) + valueKey(family, all),
      },
    ];
  });
}
