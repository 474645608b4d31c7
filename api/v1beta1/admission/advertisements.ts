/** The rules of what AddressPools say to BGP peers, one function each. */
import { prefixesOf, WIDTH } from "#api/address.ts";
import { parseCommunity } from "#api/community.ts";
import { canonical } from "#api/v1beta1/admission/canonical.ts";
import { spansOf } from "#api/v1beta1/admission/ranges.ts";
import { selectorKey } from "#api/v1beta1/admission/selectors.ts";
import { type Fault, fault } from "#api/v1beta1/fault.ts";
import type { AddressPool } from "#api/v1beta1/generated/types.ts";

type Advertisement = NonNullable<AddressPool["spec"]["bgpAdvertisements"]>[number];

export function advertisementsOnlyWithBgp(pool: AddressPool): Fault[] {
  const count = pool.spec.bgpAdvertisements?.length ?? 0;
  return pool.spec.protocol === "bgp" || count === 0
    ? []
    : [
        fault(
          "spec.bgpAdvertisements",
          `${count} given, but spec.protocol is ${pool.spec.protocol}: only bgp has them`,
        ),
      ];
}

export function aggregationNotTooWide(pool: AddressPool): Fault[] {
  const faults: Fault[] = [];
  for (const [at, advertisement] of (pool.spec.bgpAdvertisements ?? []).entries()) {
    for (const { text, span } of spansOf(pool)) {
      const name = span.family === "IPv4" ? "aggregationLength" : "aggregationLengthV6";
      const length = advertisement[name] ?? WIDTH[span.family];
      const widest = Math.min(...prefixesOf(span).map((prefix) => prefix.length));
      if (length < widest) {
        faults.push(
          fault(
            `spec.bgpAdvertisements[${at}].${name}`,
            `${length} is wider than ${text}: at least ${widest}`,
          ),
        );
      }
    }
  }
  return faults;
}

/** What one address' pods are says nothing of a prefix of many. */
export function weightingOfSingleAddresses(pool: AddressPool): Fault[] {
  const families = new Set(spansOf(pool).map(({ span }) => span.family));
  return (pool.spec.bgpAdvertisements ?? []).flatMap((advertisement, at) => {
    if (advertisement.weighting !== "LocalPods") return [];
    const { aggregationLength = WIDTH.IPv4, aggregationLengthV6 = WIDTH.IPv6 } = advertisement;
    const isAggregated =
      (families.has("IPv4") && aggregationLength < WIDTH.IPv4) ||
      (families.has("IPv6") && aggregationLengthV6 < WIDTH.IPv6);
    if (!isAggregated) return [];
    const why = "LocalPods is for routes of single addresses, and this entry joins them into wider ones";
    return [fault(`spec.bgpAdvertisements[${at}].weighting`, why)];
  });
}

const LARGEST = { standard: 65_535, large: 4_294_967_295 } as const;
const NOT_A_COMMUNITY =
  "is not a community: two numbers (65000:100), large: and three (large:65000:1:2), or a well-known name";

/** Numbers of a community are 16 bits each, those of a large one 32. */
export function communitiesAreOnes(pool: AddressPool): Fault[] {
  return (pool.spec.bgpAdvertisements ?? []).flatMap((advertisement, at) =>
    (advertisement.communities ?? []).flatMap((text, index) => {
      if (parseCommunity(text) !== undefined) return [];
      const numbers = /^(?:large:\d+:\d+:\d+|\d+:\d+)$/.test(text);
      const limit = LARGEST[text.startsWith("large:") ? "large" : "standard"];
      const why = numbers ? `has a number above ${limit}` : NOT_A_COMMUNITY;
      return [fault(`spec.bgpAdvertisements[${at}].communities[${index}]`, `"${text}" ${why}`)];
    }),
  );
}

/** Equal for two spellings of one community. */
export const communityKey = (text: string): string => JSON.stringify(parseCommunity(text) ?? text);

/** Where the prefixes of an advertisement go: equal for two that say it in another order, or leave out what is the default. */
const scopeOf = (advertisement: Advertisement): string =>
  canonical([
    advertisement.aggregationLength ?? WIDTH.IPv4,
    advertisement.aggregationLengthV6 ?? WIDTH.IPv6,
    [...(advertisement.peers ?? [])].sort(),
    (advertisement.nodeSelectors ?? []).map(selectorKey).sort(),
    (advertisement.serviceSelectors ?? []).map(selectorKey).sort(),
  ]);

/** As users write it: the API server fills in what they leave out. */
export function withoutDefaults(advertisement: Advertisement): Advertisement {
  const { aggregationLength, aggregationLengthV6, weighting, ...rest } = advertisement;
  return {
    ...rest,
    ...(weighting !== undefined && weighting !== "Equal" && { weighting }),
    ...(aggregationLength !== undefined && aggregationLength !== WIDTH.IPv4 && { aggregationLength }),
    ...(aggregationLengthV6 !== undefined && aggregationLengthV6 !== WIDTH.IPv6 && { aggregationLengthV6 }),
  };
}

/** Equal for two advertisements that say the same. */
export const advertisementKey = (advertisement: Advertisement): string =>
  canonical([
    scopeOf(advertisement),
    ...PREFERENCES.map((name) => advertisement[name] ?? null),
    advertisement.weighting ?? "Equal",
    (advertisement.communities ?? []).map(communityKey).sort(),
  ]);

/** What a router chooses by. */
const PREFERENCES = ["localPref", "asPathPrepend", "med"] as const;

/** Two that say where the same prefixes go must not differ in how they are preferred there. */
export function preferencesAgree(pool: AddressPool): Fault[] {
  const firsts = new Map<string, number>();
  const advertisements = pool.spec.bgpAdvertisements ?? [];
  return advertisements.flatMap((advertisement, at) => {
    const scope = scopeOf(advertisement);
    const first = firsts.get(scope) ?? at;
    firsts.set(scope, first);
    const other = advertisements[first];
    const differing = PREFERENCES.filter((name) => first !== at && other?.[name] !== advertisement[name]);
    return differing.map((name) =>
      fault(
        `spec.bgpAdvertisements[${at}].${name}`,
        `${advertisement[name] ?? "unset"} differs from ${other?.[name] ?? "unset"} of spec.bgpAdvertisements[${first}], for the same peers, nodes, Services and prefixes`,
      ),
    );
  });
}
