/** The rules of AddressPools, one function each; every one looks at one thing and names field, value, other object. */
import {
  AddressError,
  formatAddress,
  overlaps,
  parseAddress,
  parseRange,
  prefixesOf,
  type Range,
} from "#api/address.ts";
import type { View } from "#api/v1beta1/admission/view.ts";
import type { AddressPool } from "#api/v1beta1/generated/types.ts";
import { type Refusal, refusal } from "#api/v1beta1/refusal.ts";

/** A range with the text that it was written as. */
interface Written {
  readonly text: string;
  readonly at: number;
  readonly span: Range;
}

function spansOf(pool: AddressPool): Written[] {
  return pool.spec.addresses.flatMap((text, at) => {
    const span = understood(text);
    return span instanceof AddressError ? [] : [{ text, at, span }];
  });
}

function understood(text: string): Range | AddressError {
  try {
    return parseRange(text);
  } catch (error) {
    if (error instanceof AddressError) return error;
    throw error;
  }
}

export function addressesParse(pool: AddressPool): Refusal[] {
  return pool.spec.addresses.flatMap((text, at) => {
    const span = understood(text);
    return span instanceof AddressError ? [refusal(`spec.addresses[${at}]`, `${text} ${span.rule}`)] : [];
  });
}

export function noOverlapWithin(pool: AddressPool): Refusal[] {
  const spans = spansOf(pool);
  return spans.flatMap((one, index) => {
    const other = spans.slice(0, index).find((earlier) => overlaps(earlier.span, one.span));
    return other === undefined
      ? []
      : [
          refusal(
            `spec.addresses[${one.at}]`,
            `${one.text} overlaps ${other.text} of spec.addresses[${other.at}]`,
          ),
        ];
  });
}

export function noOverlapWithOthers(pool: AddressPool, view: View): Refusal[] {
  const others = view.pools.filter((other) => other.metadata.name !== pool.metadata.name);
  return spansOf(pool).flatMap((one) => {
    for (const other of others) {
      const hit = spansOf(other).find((theirs) => overlaps(theirs.span, one.span));
      if (hit !== undefined) {
        const whose = `${hit.text} of AddressPool "${other.metadata.name ?? ""}"`;
        return [refusal(`spec.addresses[${one.at}]`, `${one.text} overlaps ${whose}`)];
      }
    }
    return [];
  });
}

export function advertisementsOnlyWithBgp(pool: AddressPool): Refusal[] {
  const count = pool.spec.bgpAdvertisements?.length ?? 0;
  return pool.spec.protocol === "bgp" || count === 0
    ? []
    : [
        refusal(
          "spec.bgpAdvertisements",
          `${count} given, but spec.protocol is ${pool.spec.protocol}: only bgp has them`,
        ),
      ];
}

export function aggregationNotTooWide(pool: AddressPool): Refusal[] {
  const refusals: Refusal[] = [];
  for (const [at, advertisement] of (pool.spec.bgpAdvertisements ?? []).entries()) {
    for (const { text, span } of spansOf(pool)) {
      const name = span.family === "IPv4" ? "aggregationLength" : "aggregationLengthV6";
      const length = advertisement[name] ?? (span.family === "IPv4" ? 32 : 128);
      const widest = Math.min(...prefixesOf(span).map((prefix) => prefix.length));
      if (length < widest) {
        refusals.push(
          refusal(
            `spec.bgpAdvertisements[${at}].${name}`,
            `${length} is wider than ${text}: at least ${widest}`,
          ),
        );
      }
    }
  }
  return refusals;
}

/** Community numbers are 16 bits each, those of a large one 32. */
export function communitiesInRange(pool: AddressPool): Refusal[] {
  return (pool.spec.bgpAdvertisements ?? []).flatMap((advertisement, at) =>
    (advertisement.communities ?? []).flatMap((community, index) => {
      if (!/^(large:)?\d/.test(community)) return [];
      const large = community.startsWith("large:");
      const limit = large ? 4294967295 : 65535;
      const numbers = community.replace("large:", "").split(":").map(Number);
      return numbers.some((number) => number > limit)
        ? [
            refusal(
              `spec.bgpAdvertisements[${at}].communities[${index}]`,
              `${community}: a number is above ${limit}`,
            ),
          ]
        : [];
    }),
  );
}

/** JSON with sorted keys: two selectors are the same where this is. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === "object" && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}

function twice(field: string, list: readonly unknown[] | undefined): Refusal[] {
  const seen = new Map<string, number>();
  return (list ?? []).flatMap((value, at) => {
    const text = canonical(value);
    const first = seen.get(text);
    seen.set(text, first ?? at);
    return first === undefined ? [] : [refusal(`${field}[${at}]`, `${text} is already ${field}[${first}]`)];
  });
}

export function nothingTwice(pool: AddressPool): Refusal[] {
  const { serviceAllocation: allocation, nodeSelectors, interfaces, bgpAdvertisements } = pool.spec;
  return [
    ...twice("spec.nodeSelectors", nodeSelectors),
    ...twice("spec.interfaces", interfaces),
    ...twice("spec.serviceAllocation.namespaces", allocation?.namespaces),
    ...twice("spec.serviceAllocation.namespaceSelectors", allocation?.namespaceSelectors),
    ...twice("spec.serviceAllocation.serviceSelectors", allocation?.serviceSelectors),
    ...(bgpAdvertisements ?? []).flatMap((advertisement, at) => [
      ...twice(`spec.bgpAdvertisements[${at}].communities`, advertisement.communities),
      ...twice(`spec.bgpAdvertisements[${at}].peers`, advertisement.peers),
      ...twice(`spec.bgpAdvertisements[${at}].nodeSelectors`, advertisement.nodeSelectors),
    ]),
  ];
}

export const ADDRESSPOOL_RULES: readonly ((pool: AddressPool, view: View) => Refusal[])[] = [
  addressesParse,
  noOverlapWithin,
  noOverlapWithOthers,
  advertisementsOnlyWithBgp,
  aggregationNotTooWide,
  communitiesInRange,
  nothingTwice,
];

/** How many Services a warning names. */
const NAMED = 10;

/** Services whose address `next` (undefined: the pool goes) no longer has. */
export function addressesTakenAway(old: AddressPool, next: AddressPool | undefined, view: View): string[] {
  const before = spansOf(old);
  const after = next === undefined ? [] : spansOf(next);
  const hit = view.services.flatMap((service) =>
    service.addresses
      .filter((text) => {
        const address = parseAddress(text);
        if (address === undefined) return false;
        const span = { family: address.family, first: address.value, last: address.value };
        return (
          before.some((one) => overlaps(one.span, span)) && !after.some((one) => overlaps(one.span, span))
        );
      })
      .map(
        (text) => `${service.key} (${formatAddress(parseAddress(text) ?? { family: "IPv4", value: 0n })})`,
      ),
  );
  if (hit.length === 0) return [];
  const more = hit.length > NAMED ? ` and ${hit.length - NAMED} more` : "";
  const what = next === undefined ? "deleted" : "shrunk";
  return [
    `AddressPool "${old.metadata.name ?? ""}" is ${what} while in use: these Services get other addresses: ${hit.slice(0, NAMED).join(", ")}${more}`,
  ];
}
