/** The rules of AddressPools, one function each; every one looks at one thing and names field, value, other object. */
import {
  AddressError,
  type Family,
  formatAddress,
  overlaps,
  parseAddress,
  parseRange,
  prefixesOf,
  type Range,
} from "#api/address.ts";
import { parseCommunity } from "#api/community.ts";
import { canonical, twice } from "#api/v1beta1/admission/list.ts";
import { selectorsValid } from "#api/v1beta1/admission/selectors.ts";
import type { View } from "#api/v1beta1/admission/view.ts";
import type { AddressPool } from "#api/v1beta1/generated/types.ts";
import { type Refusal, refusal } from "#api/v1beta1/refusal.ts";

type Advertisement = NonNullable<AddressPool["spec"]["bgpAdvertisements"]>[number];

/** A range with the text that it was written as. */
interface Written {
  readonly text: string;
  readonly at: number;
  readonly span: Range;
}

/** The ranges of a pool in an order in which a binary search finds whether one is met. */
interface Spans {
  readonly written: readonly Written[];
  readonly byFamily: Readonly<Record<Family, Ordered>>;
}

/** Sorted by `firsts`; `furthest[n]` is the last address of the ranges up to n. */
interface Ordered {
  readonly firsts: readonly bigint[];
  readonly furthest: readonly bigint[];
}

/** Pools are read many times, and stores give the very same objects again. */
const known = new WeakMap<readonly string[], Spans>();

function readSpans(pool: AddressPool): Spans {
  const { addresses } = pool.spec;
  let spans = known.get(addresses);
  if (spans === undefined) {
    const written = addresses.flatMap((text, at) => {
      const span = understood(text);
      return span instanceof AddressError ? [] : [{ text, at, span }];
    });
    spans = { written, byFamily: { IPv4: orderedOf(written, "IPv4"), IPv6: orderedOf(written, "IPv6") } };
    known.set(addresses, spans);
  }
  return spans;
}

function orderedOf(written: readonly Written[], family: Family): Ordered {
  const ranges = written.map(({ span }) => span).filter((span) => span.family === family);
  ranges.sort((one, other) => (one.first < other.first ? -1 : 1));
  let last = -1n;
  const furthest = ranges.map((range) => {
    if (range.last > last) last = range.last;
    return last;
  });
  return { firsts: ranges.map(({ first }) => first), furthest };
}

/** Whether any range of `spans` has an address of `range`. */
function isMet({ byFamily }: Spans, range: Range): boolean {
  const { firsts, furthest } = byFamily[range.family];
  let low = 0;
  let high = firsts.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((firsts[middle] ?? 0n) <= range.last) low = middle + 1;
    else high = middle;
  }
  return low > 0 && (furthest[low - 1] ?? -1n) >= range.first;
}

const spansOf = (pool: AddressPool): readonly Written[] => readSpans(pool).written;

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
    if (span instanceof AddressError) return [refusal(`spec.addresses[${at}]`, `${text} ${span.rule}`)];
    // The rule in the CRD does not take that spelling either.
    return span.family === "IPv6" && text.includes(".")
      ? [refusal(`spec.addresses[${at}]`, `${text} is IPv6 with dots: write it without`)]
      : [];
  });
}

function noOverlapWithin(pool: AddressPool): Refusal[] {
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
    const other = others.find((each) => isMet(readSpans(each), one.span));
    const hit = other && spansOf(other).find((theirs) => overlaps(theirs.span, one.span));
    if (other === undefined || hit === undefined) return [];
    const whose = `${hit.text} of AddressPool "${other.metadata.name ?? ""}"`;
    return [refusal(`spec.addresses[${one.at}]`, `${one.text} overlaps ${whose}`)];
  });
}

function advertisementsOnlyWithBgp(pool: AddressPool): Refusal[] {
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

const LARGEST = { standard: 65_535, large: 4_294_967_295 } as const;
const NOT_A_COMMUNITY =
  "is not a community: two numbers (65000:100), large: and three (large:65000:1:2), or a well-known name";

/** Numbers of a community are 16 bits each, those of a large one 32. */
export function communitiesAreOnes(pool: AddressPool): Refusal[] {
  return (pool.spec.bgpAdvertisements ?? []).flatMap((advertisement, at) =>
    (advertisement.communities ?? []).flatMap((text, index) => {
      if (parseCommunity(text) !== undefined) return [];
      const numbers = /^(?:large:\d+:\d+:\d+|\d+:\d+)$/.test(text);
      const limit = LARGEST[text.startsWith("large:") ? "large" : "standard"];
      const why = numbers ? `has a number above ${limit}` : NOT_A_COMMUNITY;
      return [refusal(`spec.bgpAdvertisements[${at}].communities[${index}]`, `"${text}" ${why}`)];
    }),
  );
}

/** Equal for two spellings of one community. */
const communityKey = (text: string): string => JSON.stringify(parseCommunity(text) ?? text);

/** Two that say where the same prefixes go must not differ in how they are preferred there. */
function preferencesAgree(pool: AddressPool): Refusal[] {
  const scopeOf = (advertisement: Advertisement): string =>
    canonical([
      advertisement.aggregationLength ?? 32,
      advertisement.aggregationLengthV6 ?? 128,
      [...(advertisement.peers ?? [])].sort(),
      (advertisement.nodeSelectors ?? []).map(canonical).sort(),
    ]);
  const advertisements = pool.spec.bgpAdvertisements ?? [];
  return advertisements.flatMap((advertisement, at) => {
    const scope = scopeOf(advertisement);
    const first = advertisements.findIndex((each) => scopeOf(each) === scope);
    const other = advertisements[first];
    if (first === at || other?.localPref === advertisement.localPref) return [];
    return [
      refusal(
        `spec.bgpAdvertisements[${at}].localPref`,
        `${advertisement.localPref ?? "unset"} differs from ${other?.localPref ?? "unset"} of spec.bgpAdvertisements[${first}], for the same peers, nodes and prefixes`,
      ),
    ];
  });
}

function selectorsAreValid(pool: AddressPool): Refusal[] {
  const { serviceAllocation: allocation, nodeSelectors, bgpAdvertisements } = pool.spec;
  return [
    ...selectorsValid("spec.nodeSelectors", nodeSelectors),
    ...selectorsValid("spec.serviceAllocation.namespaceSelectors", allocation?.namespaceSelectors),
    ...selectorsValid("spec.serviceAllocation.serviceSelectors", allocation?.serviceSelectors),
    ...(bgpAdvertisements ?? []).flatMap((advertisement, at) =>
      selectorsValid(`spec.bgpAdvertisements[${at}].nodeSelectors`, advertisement.nodeSelectors),
    ),
  ];
}

const NAMESPACE = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;

function namespacesAreNames(pool: AddressPool): Refusal[] {
  const named = [
    ...(pool.spec.serviceAllocation?.namespaces ?? []).map(
      (name, at) => [`spec.serviceAllocation.namespaces[${at}]`, name] as const,
    ),
    ...(pool.spec.quotas ?? []).map(
      ({ namespace }, at) => [`spec.quotas[${at}].namespace`, namespace] as const,
    ),
  ];
  return named.flatMap(([field, name]) =>
    NAMESPACE.test(name) ? [] : [refusal(field, `"${name}" is not a namespace's name`)],
  );
}

/** What the kernel takes as the name of a link (dev_valid_name). */
function interfacesAreLinks(pool: AddressPool): Refusal[] {
  return (pool.spec.interfaces ?? []).flatMap((name, at) =>
    name === "." || name === ".." || /[/:\s]/.test(name)
      ? [refusal(`spec.interfaces[${at}]`, `"${name}" is not a link's name`)]
      : [],
  );
}

function nothingTwice(pool: AddressPool): Refusal[] {
  const { serviceAllocation: allocation, nodeSelectors, interfaces, bgpAdvertisements } = pool.spec;
  return [
    ...twice("spec.nodeSelectors", nodeSelectors),
    ...twice("spec.interfaces", interfaces),
    ...twice("spec.serviceAllocation.namespaces", allocation?.namespaces),
    ...twice("spec.serviceAllocation.namespaceSelectors", allocation?.namespaceSelectors),
    ...twice("spec.serviceAllocation.serviceSelectors", allocation?.serviceSelectors),
    ...(bgpAdvertisements ?? []).flatMap((advertisement, at) => [
      ...twice(`spec.bgpAdvertisements[${at}].communities`, advertisement.communities, communityKey),
      ...twice(`spec.bgpAdvertisements[${at}].peers`, advertisement.peers),
      ...twice(`spec.bgpAdvertisements[${at}].nodeSelectors`, advertisement.nodeSelectors),
    ]),
    ...twice("spec.quotas", pool.spec.quotas, ({ namespace }) => namespace),
  ];
}

export const ADDRESSPOOL_RULES: readonly ((pool: AddressPool, view: View) => Refusal[])[] = [
  addressesParse,
  noOverlapWithin,
  noOverlapWithOthers,
  advertisementsOnlyWithBgp,
  aggregationNotTooWide,
  communitiesAreOnes,
  preferencesAgree,
  selectorsAreValid,
  namespacesAreNames,
  interfacesAreLinks,
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

/** Peers that advertisements name and that are not there: nothing is said to them. */
export function poolWarnings(pool: AddressPool, view: View): string[] {
  return (pool.spec.bgpAdvertisements ?? []).flatMap((advertisement, at) =>
    (advertisement.peers ?? []).flatMap((name, index) =>
      view.peers.some(({ metadata }) => metadata.name === name)
        ? []
        : [`spec.bgpAdvertisements[${at}].peers[${index}]: there is no BGPPeer "${name}" yet`],
    ),
  );
}
