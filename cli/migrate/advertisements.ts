/** L2Advertisements and BGPAdvertisements: which pools they select, and what they say about them. */
import { advertisementKey } from "#api/v1beta1/admission/advertisements.ts";
import { canonical } from "#api/v1beta1/admission/canonical.ts";
import { type Selector, selectorKey } from "#api/v1beta1/admission/selectors.ts";
import { ownOf } from "#cli/check/unknown.ts";
import type { Aliases } from "#cli/migrate/communities.ts";
import { dropUnset, inText, isMap, listOf, type Notes, type Source, type Spec } from "#cli/migrate/source.ts";

/** Fields of both that choose pools; they are gone once the pool says it itself. */
const CHOOSING = ["ipAddressPools", "ipAddressPoolSelectors"];
/** Chooses Services of the pools; noteExposure tells of it where ours cannot. */
const FOR_SOME = "serviceSelectors";

/** No pool chosen means every pool. */
export function selects(advertisement: Source, pool: Source): boolean {
  const names = listOf(advertisement.spec, "ipAddressPools");
  const selectors = listOf<Selector>(advertisement.spec, "ipAddressPoolSelectors");
  if (names.length === 0 && selectors.length === 0) return true;
  return names.includes(pool.name) || selectors.some((selector) => matches(selector, pool.labels));
}

function matches(selector: Selector, labels: Readonly<Record<string, string>>): boolean {
  const { matchLabels = {}, matchExpressions = [] } = selector;
  return (
    Object.entries(matchLabels).every(([key, value]) => ownOf(labels, key) === value) &&
    matchExpressions.every(({ key, operator, values = [] }) => {
      const value = ownOf(labels, key);
      if (operator === "Exists") return value !== undefined;
      if (operator === "DoesNotExist") return value === undefined;
      const isIn = value !== undefined && values.includes(value);
      return operator === "In" ? isIn : !isIn;
    })
  );
}

/** Notes about an advertisement itself: once, and not for each pool that it selects. */
export function noteUnsupported(
  advertisement: Source,
  pools: readonly Source[],
  known: readonly string[],
  notes: Notes,
): void {
  const { spec } = advertisement;
  for (const name of listOf(spec, "ipAddressPools")) {
    if (!pools.some((pool) => pool.name === name)) {
      notes.add(advertisement, `spec.ipAddressPools: there is no pool "${inText(name)}"`);
    }
  }
  if (!pools.some((pool) => selects(advertisement, pool))) {
    notes.add(advertisement, "is not carried over: it selects no pool");
  }
  for (const [name, value] of Object.entries(spec)) {
    if (known.includes(name) || [...CHOOSING, FOR_SOME].includes(name)) continue;
    if (Array.isArray(value) && value.length === 0) continue;
    const why =
      name === "preferredNodeSelectors" ? "nodes have no preference" : "nothing of ours corresponds to it";
    notes.add(advertisement, `spec.${name}: ${JSON.stringify(value)} is not carried over: ${why}`);
  }
}

/**
 * In layer 2 mode ours announces all Services of a pool alike. Where an advertisement was for some of them, the others are
 * announced by it now, too, unless they were already, or cannot be in the pool.
 */
export function noteExposure(pool: Source, advertisements: readonly Source[], notes: Notes): void {
  const fieldsOf = ({ spec }: Source): string => {
    const {
      serviceSelectors: _some,
      ipAddressPools: _names,
      ipAddressPoolSelectors: _labels,
      ...rest
    } = spec;
    return canonical(rest);
  };
  const forSome = ({ spec }: Source): boolean => listOf(spec, FOR_SOME).length > 0;
  const forAll = new Set(advertisements.filter((each) => !forSome(each)).map(fieldsOf));
  const allocation = isMap(pool.spec.serviceAllocation) ? pool.spec.serviceAllocation : {};
  const ofPool = canonical(listOf(allocation, "serviceSelectors"));
  for (const advertisement of advertisements.filter(forSome)) {
    const { kind, name, spec } = advertisement;
    if (forAll.has(fieldsOf(advertisement)) || canonical(spec.serviceSelectors) === ofPool) continue;
    notes.grows(
      pool,
      `${kind} "${name}" was for Services with ${JSON.stringify(spec.serviceSelectors)} alone; now all Services of this pool are announced by it. To keep them apart, give each group a pool of its own, with spec.serviceAllocation.serviceSelectors`,
    );
  }
}

export const L2_FIELDS = ["nodeSelectors", "interfaces"] as const;

/** Where a layer2 pool is announced: all that its advertisements say together. */
export function layer2Part(pool: Source, advertisements: readonly Source[], notes: Notes): Spec {
  const part: Spec = {};
  for (const name of L2_FIELDS) {
    // One that says nothing means everywhere.
    if (advertisements.some(({ spec }) => listOf(spec, name).length === 0)) continue;
    const said = advertisements.flatMap(({ spec }) => listOf(spec, name));
    part[name] = name === "nodeSelectors" ? uniqueSelectors(said) : unique(said, canonical);
  }
  const differing = L2_FIELDS.filter(
    (name) => new Set(advertisements.map(({ spec }) => canonical(listOf(spec, name)))).size > 1,
  );
  if (differing.length > 1) {
    const names = advertisements.map(({ name }) => `"${name}"`).join(", ");
    notes.grows(
      pool,
      `L2Advertisements ${names} pair nodes with interfaces: ours announces on every one of these interfaces of every one of these nodes`,
    );
  }
  return part;
}

function unique<T>(list: readonly T[], keyOf: (value: T) => string): T[] {
  return [...new Map(list.map((value) => [keyOf(value), value])).values()];
}

/** As admission tells them apart: in another order they are the same. */
export const uniqueSelectors = (list: readonly unknown[]): unknown[] =>
  unique(list, (value) => (isSelector(value) ? selectorKey(value) : canonical(value)));

/** What it says may be anything: it was read from a file, and is judged once it is ours. */
function isSelector(value: unknown): value is Selector {
  if (!isMap(value)) return false;
  const { matchLabels = {}, matchExpressions = [] } = value;
  if (!isMap(matchLabels) || !Array.isArray(matchExpressions)) return false;
  return matchExpressions.every((each) => isMap(each) && Array.isArray(each.values ?? []));
}

export const BGP_FIELDS = [
  "aggregationLength",
  "aggregationLengthV6",
  "localPref",
  "communities",
  "peers",
  "nodeSelectors",
  "serviceSelectors",
] as const;

/** One entry of spec.bgpAdvertisements. Equal entries become one. */
export function bgpEntries(
  advertisements: readonly { source: Source; spec: Spec }[],
  aliases: Aliases,
): Spec[] {
  const entries = advertisements.map(({ source, spec }) => {
    const entry: Spec = {};
    for (const name of BGP_FIELDS) if (spec[name] !== undefined) entry[name] = spec[name];
    dropUnset(entry, ["localPref", "aggregationLength", "aggregationLengthV6"]);
    for (const name of ["peers", "nodeSelectors", "serviceSelectors"]) {
      if (listOf(entry, name).length === 0) delete entry[name];
      else if (name === "peers") entry[name] = unique(listOf(entry, name), canonical);
      else entry[name] = uniqueSelectors(listOf(entry, name));
    }
    const communities = aliases.resolve(listOf(spec, "communities"), source);
    if (communities.length === 0) delete entry.communities;
    else entry.communities = communities;
    return entry;
  });
  return uniqueEntries(entries);
}

/** As admission tells them apart. */
export const uniqueEntries = (entries: readonly Spec[]): Spec[] =>
  unique(entries, (entry) =>
    [...listOf(entry, "nodeSelectors"), ...listOf(entry, FOR_SOME)].every(isSelector)
      ? advertisementKey(entry as Parameters<typeof advertisementKey>[0])
      : canonical(entry),
  );
