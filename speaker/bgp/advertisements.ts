/**
 * Addresses that this node advertises, and what their pools say of them -> prefixes with their attributes. Pure: what
 * was made of an address and an advertisement is remembered as long as both are there, and given to all peers that hear
 * the same, so that one address more costs little beside thousands.
 */
import { type Family, familyOf, formatPrefix, parseAddress, prefixOf, WIDTH } from "#api/address.ts";
import type { LargeCommunity } from "#api/community.ts";
import { type Labels, selectsAny } from "#common/kube/selector.ts";
import type { AdvertisementView } from "#speaker/known/view.ts";
import type { Advertisement } from "./types.ts";

/** An address that this node advertises, as planned. */
export interface AdvertisedAddress {
  readonly vip: string;
  readonly pool: string;
  /** `namespace/name` of the Services that have it. */
  readonly services: readonly string[];
  /** Pods on this node, where it advertises the address because it has some. */
  readonly localPods?: number;
}

/** Labels of a Service by `namespace/name`; undefined where there is none. */
export type LabelsOf = (service: string) => Labels | undefined;

type Attributes = Omit<Advertisement, "prefix">;

const ATTRIBUTES = new WeakMap<AdvertisementView, Attributes>();
const MADE = new WeakMap<AdvertisementView, WeakMap<AdvertisedAddress, Advertisement>>();

/** What is told of the same addresses to one peer and another. */
export class Advertisements {
  readonly #addresses: readonly AdvertisedAddress[];
  readonly #pools: readonly string[];
  readonly #numbers = new Map<AdvertisementView, number>();
  readonly #known = new Map<string, readonly Advertisement[]>();

  readonly #labelsOf: LabelsOf;

  constructor(addresses: readonly AdvertisedAddress[], labelsOf: LabelsOf) {
    this.#addresses = addresses;
    this.#labelsOf = labelsOf;
    this.#pools = [...new Set(addresses.map(({ pool }) => pool))];
  }

  /** By prefix. Peers that hear the same get the same list. */
  to(
    families: readonly Family[],
    viewsOf: (pool: string) => readonly AdvertisementView[],
  ): readonly Advertisement[] {
    const views = new Map(this.#pools.map((pool) => [pool, viewsOf(pool)]));
    const numbers = [...views.values()].map((list) => list.map((view) => this.#numberOf(view)).join());
    const key = [families.join(), ...numbers].join("|");
    let known = this.#known.get(key);
    if (known === undefined) {
      known = told(this.#addresses, families, views, this.#labelsOf);
      this.#known.set(key, known);
    }
    return known;
  }

  #numberOf(view: AdvertisementView): number {
    const number = this.#numbers.get(view) ?? this.#numbers.size;
    this.#numbers.set(view, number);
    return number;
  }
}

function told(
  addresses: readonly AdvertisedAddress[],
  families: readonly Family[],
  views: ReadonlyMap<string, readonly AdvertisementView[]>,
  labelsOf: LabelsOf,
): Advertisement[] {
  const byPrefix = new Map<string, Advertisement>();
  for (const address of addresses) {
    if (!families.includes(familyOf(address.vip))) continue;
    for (const view of views.get(address.pool) ?? []) {
      if (!isFor(view, address, labelsOf)) continue;
      const next = made(address, view);
      const present = byPrefix.get(next.prefix);
      byPrefix.set(next.prefix, present === undefined ? next : merged(present, next));
    }
  }
  return [...byPrefix.values()].sort((a, b) => (a.prefix < b.prefix ? -1 : 1));
}

const SELECTED = new WeakMap<AdvertisementView, WeakMap<Labels, boolean>>();

/** One of the Services that share the address is enough: it is one route. */
function isFor(view: AdvertisementView, { services }: AdvertisedAddress, labelsOf: LabelsOf): boolean {
  if (view.serviceSelectors.length === 0) return true;
  const own = SELECTED.get(view) ?? new WeakMap<Labels, boolean>();
  SELECTED.set(view, own);
  return services.some((service) => {
    const labels = labelsOf(service);
    if (labels === undefined) return false;
    const isSelected = own.get(labels) ?? selectsAny(view.serviceSelectors, labels);
    own.set(labels, isSelected);
    return isSelected;
  });
}

function made(address: AdvertisedAddress, view: AdvertisementView): Advertisement {
  let own = MADE.get(view);
  if (own === undefined) {
    own = new WeakMap();
    MADE.set(view, own);
  }
  let advertisement = own.get(address);
  if (advertisement === undefined) {
    const family = familyOf(address.vip);
    const prefix = aggregate(address.vip, view.aggregation[family]);
    // The pods of one address say nothing of an aggregate.
    const isWeighed = view.weighsPods === true && view.aggregation[family] === WIDTH[family];
    const { localPods: pods } = address;
    advertisement = { prefix, ...attributesOf(view), ...(isWeighed && pods !== undefined && { pods }) };
    own.set(address, advertisement);
  }
  return advertisement;
}

/** The prefix of that length that the address lies in; the length is the family's own for the address alone. */
function aggregate(vip: string, length: number): string {
  const address = parseAddress(vip);
  return address === undefined ? vip : formatPrefix(prefixOf(address, length));
}

function attributesOf(view: AdvertisementView): Attributes {
  let attributes = ATTRIBUTES.get(view);
  if (attributes === undefined) {
    attributes = attributesWith(view, view.communities, view.largeCommunities);
    ATTRIBUTES.set(view, attributes);
  }
  return attributes;
}

type Preference = Pick<Advertisement, "localPref" | "prepend" | "med">;

/** Of two that say how a route is preferred, the one counts that has it preferred more. */
function morePreferred(a: Preference, b: Preference): Preference {
  const given = (name: keyof Preference): number[] => [a[name], b[name]].filter((one) => one !== undefined);
  const [localPref, prepend, med] = [given("localPref"), given("prepend"), given("med")];
  return {
    ...(localPref.length > 0 && { localPref: Math.max(...localPref) }),
    ...(prepend.length > 0 && { prepend: Math.min(...prepend) }),
    ...(med.length > 0 && { med: Math.min(...med) }),
  };
}

/** Two that name one prefix add up their communities; the better preference counts. */
function merged(a: Advertisement, b: Advertisement): Advertisement {
  const isSame = a.communities === b.communities && a.largeCommunities === b.largeCommunities;
  const pods = a.pods ?? b.pods;
  if (isSame && a.localPref === b.localPref && a.prepend === b.prepend && a.med === b.med && a.pods === pods)
    return a;
  const communities = [...a.communities, ...b.communities];
  const large = [...a.largeCommunities, ...b.largeCommunities];
  return {
    ...{ prefix: a.prefix, ...attributesWith(morePreferred(a, b), communities, large) },
    ...(pods !== undefined && { pods }),
  };
}

/** Each community once, in a fixed order: equal sets are equal lists. */
function attributesWith(
  { localPref, prepend, med }: Preference,
  communities: readonly number[],
  large: readonly LargeCommunity[],
): Attributes {
  const once = new Map(large.map((community) => [community.join(), community]));
  return {
    ...(localPref !== undefined && { localPref }),
    ...(prepend !== undefined && { prepend }),
    ...(med !== undefined && { med }),
    communities: [...new Set(communities)].sort((a, b) => a - b),
    largeCommunities: [...once.values()].sort((a, b) => a[0] - b[0] || a[1] - b[1] || a[2] - b[2]),
  };
}
