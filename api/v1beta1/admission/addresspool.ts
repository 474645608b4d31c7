/** The rules of AddressPools, one function each; every one looks at one thing and names field, value, other object. */

import { AddressError, formatAddress, formatRange, overlaps, parseAddress } from "#api/address.ts";
import { andMore, firstOf } from "#api/and-more.ts";
import { whySpecial } from "#api/special.ts";
import {
  advertisementKey,
  advertisementsOnlyWithBgp,
  aggregationNotTooWide,
  communitiesAreOnes,
  communityKey,
  preferencesAgree,
  weightingOfSingleAddresses,
  withoutDefaults,
} from "#api/v1beta1/admission/advertisements.ts";
import { groupedBy, growing } from "#api/v1beta1/admission/growing.ts";
import { twice } from "#api/v1beta1/admission/list.ts";
import { spansOf, understood, type Written } from "#api/v1beta1/admission/ranges.ts";
import { selectorsOnce, selectorsValid } from "#api/v1beta1/admission/selectors.ts";
import { SpanIndex } from "#api/v1beta1/admission/spans.ts";
import type { AdmissionView } from "#api/v1beta1/admission/view.ts";
import { type Fault, fault } from "#api/v1beta1/fault.ts";
import type { AddressPool, BGPPeer } from "#api/v1beta1/generated/types.ts";

export function addressesParse(pool: AddressPool): Fault[] {
  return pool.spec.addresses.flatMap((text, at) => {
    const span = understood(text);
    if (span instanceof AddressError) return [fault(`spec.addresses[${at}]`, `${text} ${span.rule}`)];
    // The rule in the CRD does not take that spelling either.
    return span.family === "IPv6" && text.includes(".")
      ? [fault(`spec.addresses[${at}]`, `${text} is IPv6 with dots: write it without`)]
      : [];
  });
}

/** What admission, the offline command and loading all refuse: such addresses work nowhere. */
function noSpecialAddresses(pool: AddressPool): Fault[] {
  return spansOf(pool).flatMap(({ text, at, span }) => {
    const why = whySpecial(span);
    return why === undefined ? [] : [fault(`spec.addresses[${at}]`, `${text} ${why}`)];
  });
}

function noOverlapWithin(pool: AddressPool): Fault[] {
  const before = new SpanIndex<Written>();
  return spansOf(pool).flatMap((one) => {
    const other = before.find(one.span)?.owner;
    before.add([{ range: one.span, owner: one }]);
    if (other === undefined) return [];
    const whose = `${other.text} of spec.addresses[${other.at}]`;
    return [fault(`spec.addresses[${one.at}]`, `${one.text} overlaps ${whose}`)];
  });
}

interface Owned {
  readonly pool: string;
  readonly text: string;
}

const rangesOfAll = growing<AddressPool, SpanIndex<Owned>>(
  () => new SpanIndex(),
  (index, pools) =>
    index.add(
      pools.flatMap((pool) =>
        spansOf(pool).map(({ span, text }) => ({ range: span, owner: { pool: pool.metadata.name, text } })),
      ),
    ),
);

export function noOverlapWithOthers(pool: AddressPool, view: AdmissionView): Fault[] {
  const { name } = pool.metadata;
  return spansOf(pool).flatMap((one) => {
    const other = rangesOfAll(view.pools).find(one.span, (owner) => owner.pool !== name)?.owner;
    if (other === undefined) return [];
    const whose = `${other.text} of AddressPool "${other.pool}"`;
    return [fault(`spec.addresses[${one.at}]`, `${one.text} overlaps ${whose}`)];
  });
}

function selectorsAreValid(pool: AddressPool): Fault[] {
  const { serviceAllocation: allocation, nodeSelectors, bgpAdvertisements } = pool.spec;
  return [
    ...selectorsValid("spec.nodeSelectors", nodeSelectors),
    ...selectorsValid("spec.serviceAllocation.namespaceSelectors", allocation?.namespaceSelectors),
    ...selectorsValid("spec.serviceAllocation.serviceSelectors", allocation?.serviceSelectors),
    ...(bgpAdvertisements ?? []).flatMap(({ nodeSelectors: nodes, serviceSelectors: services }, at) => [
      ...selectorsValid(`spec.bgpAdvertisements[${at}].nodeSelectors`, nodes),
      ...selectorsValid(`spec.bgpAdvertisements[${at}].serviceSelectors`, services),
    ]),
  ];
}

const NAMESPACE = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;

function namespacesAreNames(pool: AddressPool): Fault[] {
  const named = [
    ...(pool.spec.serviceAllocation?.namespaces ?? []).map(
      (name, at) => [`spec.serviceAllocation.namespaces[${at}]`, name] as const,
    ),
    ...(pool.spec.quotas ?? []).map(
      ({ namespace }, at) => [`spec.quotas[${at}].namespace`, namespace] as const,
    ),
  ];
  return named.flatMap(([field, name]) =>
    NAMESPACE.test(name) ? [] : [fault(field, `"${name}" is not a namespace's name`)],
  );
}

/** Names that the kernel accepts for a link (dev_valid_name). */
function interfacesAreLinks(pool: AddressPool): Fault[] {
  return (pool.spec.interfaces ?? []).flatMap((name, at) =>
    name === "." || name === ".." || /[/:\s]/.test(name)
      ? [fault(`spec.interfaces[${at}]`, `"${name}" is not a link's name`)]
      : [],
  );
}

function nothingTwice(pool: AddressPool): Fault[] {
  const { serviceAllocation: allocation, nodeSelectors, interfaces, bgpAdvertisements } = pool.spec;
  return [
    ...selectorsOnce("spec.nodeSelectors", nodeSelectors),
    ...twice("spec.interfaces", interfaces),
    ...twice("spec.serviceAllocation.namespaces", allocation?.namespaces),
    ...selectorsOnce("spec.serviceAllocation.namespaceSelectors", allocation?.namespaceSelectors),
    ...selectorsOnce("spec.serviceAllocation.serviceSelectors", allocation?.serviceSelectors),
    ...(bgpAdvertisements ?? []).flatMap((advertisement, at) => [
      ...twice(`spec.bgpAdvertisements[${at}].communities`, advertisement.communities, communityKey),
      ...twice(`spec.bgpAdvertisements[${at}].peers`, advertisement.peers),
      ...selectorsOnce(`spec.bgpAdvertisements[${at}].nodeSelectors`, advertisement.nodeSelectors),
      ...selectorsOnce(`spec.bgpAdvertisements[${at}].serviceSelectors`, advertisement.serviceSelectors),
    ]),
    ...twice("spec.bgpAdvertisements", bgpAdvertisements?.map(withoutDefaults), advertisementKey),
    ...twice("spec.quotas", pool.spec.quotas, ({ namespace }) => namespace),
  ];
}

function quotasSaySomething(pool: AddressPool): Fault[] {
  return (pool.spec.quotas ?? []).flatMap(({ addresses, ports }, at) =>
    addresses === undefined && ports === undefined
      ? [fault(`spec.quotas[${at}]`, "neither addresses nor ports: one of them, or both")]
      : [],
  );
}

export const ADDRESSPOOL_RULES: readonly ((pool: AddressPool, view: AdmissionView) => Fault[])[] = [
  addressesParse,
  noSpecialAddresses,
  noOverlapWithin,
  noOverlapWithOthers,
  advertisementsOnlyWithBgp,
  aggregationNotTooWide,
  communitiesAreOnes,
  preferencesAgree,
  weightingOfSingleAddresses,
  selectorsAreValid,
  namespacesAreNames,
  interfacesAreLinks,
  quotasSaySomething,
  nothingTwice,
];

/** How many Services a warning names. */
const NAMED = 10;

/** Services whose address `next` (undefined: the pool goes) no longer has. */
export function addressesTakenAway(
  old: AddressPool,
  next: AddressPool | undefined,
  view: AdmissionView,
): string[] {
  const before = spansOf(old);
  const after = next === undefined ? [] : spansOf(next);
  const hit = view.services.flatMap((service) =>
    service.addresses.flatMap((text) => {
      const address = parseAddress(text);
      if (address === undefined) return [];
      const span = { family: address.family, first: address.value, last: address.value };
      const has = (spans: readonly Written[]): boolean => spans.some((one) => overlaps(one.span, span));
      return has(before) && !has(after) ? [`${service.key} (${formatAddress(address)})`] : [];
    }),
  );
  if (hit.length === 0) return [];
  const what = next === undefined ? "deleted" : "shrunk";
  return [
    `AddressPool "${old.metadata.name}" is ${what} while in use: these Services get other addresses: ${firstOf(hit, NAMED)}`,
  ];
}

const peersByName = groupedBy<BGPPeer>(({ metadata }) => metadata.name);

export function poolWarnings(pool: AddressPool, view: AdmissionView): string[] {
  return [...reservedWithin(pool, view), ...peersMissing(pool, view)];
}

/** How many parts of a range a warning names. */
const PARTS = 3;

/** Addresses that the cluster itself uses. No Service gets them, so the user is warned. */
function reservedWithin(pool: AddressPool, { reserved }: AdmissionView): string[] {
  if (reserved === undefined) return [];
  return spansOf(pool).flatMap(({ text, at, span }) => {
    const parts = reserved.within(span);
    if (parts.length === 0) return [];
    const named = parts.slice(0, PARTS).map((part) => {
      const why = reserved.why(part.family, part.first) ?? "the cluster uses it";
      const words =
        part.first === part.last ? formatAddress({ ...part, value: part.first }) : formatRange(part);
      return `${words} (${why})`;
    });
    return [
      `spec.addresses[${at}]: of ${text} these are given to nobody: ${named.join(", ")}${andMore(parts.length - PARTS)}`,
    ];
  });
}

/** Peers that advertisements name and that are not there: nothing is said to them. */
function peersMissing(pool: AddressPool, view: AdmissionView): string[] {
  return (pool.spec.bgpAdvertisements ?? []).flatMap((advertisement, at) =>
    (advertisement.peers ?? []).flatMap((name, index) =>
      peersByName(view.peers).has(name)
        ? []
        : [`spec.bgpAdvertisements[${at}].peers[${index}]: there is no BGPPeer "${name}" yet`],
    ),
  );
}
