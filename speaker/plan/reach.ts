/**
 * What the kernel has to know about the surroundings: the addresses from which nodes send what they tunnel to each
 * other, and the ranges that routers send here. Pure.
 */
import {
  AddressError,
  formatAddress,
  mergeRanges,
  parseLinkAddress,
  parsePrefix,
  parseRange,
  prefixOf,
  type Range,
  rangeOf,
} from "#api/address.ts";
import type { ClusterView, PoolView, SpeakerState } from "../known/view.ts";

/**
 * The most addresses of one node. A node writes its Lease and its Node object itself, and a set in the kernel holds
 * what they say.
 */
const MAX_SOURCES = 64;

/**
 * Outer addresses of tunnels: any address of a node, of a link that its speaker tells of (VXLAN devices, cilium_host,
 * bridges), and what its CNI says in the Node object. Sorted.
 */
export function tunnelSources({ nodes, members }: Pick<ClusterView, "nodes" | "members">): string[] {
  const all = new Set<string>();
  for (const [name, { own, tunnelSources: said = [] }] of nodes) {
    const links = members.states.get(name)?.links ?? [];
    const ofLinks = links.flatMap(({ prefixes }) => prefixes).slice(0, MAX_SOURCES);
    const sources = [...own, ...said, ...ofLinks.flatMap(addressOf)];
    for (const source of sources.slice(0, MAX_SOURCES)) all.add(source);
  }
  return [...all].sort();
}

/** Anybody who may write the Lease chooses the text, so it may be no address. Then it is left out. */
function addressOf(prefix: string): string[] {
  const address = parseLinkAddress(prefix);
  return address === undefined ? [] : [formatAddress(address)];
}

/**
 * Ranges of pools that are advertised by BGP, as wide as their widest aggregate. Networks of this node's links are left
 * out, because their stations answer for themselves.
 */
export function routedRanges(pools: readonly PoolView[], own: SpeakerState): Range[] {
  const wide = pools
    .filter(({ protocol }) => protocol === "bgp")
    .flatMap((pool) =>
      pool.addresses.flatMap((text) => readable(() => parseRange(text))).map((range) => widened(range, pool)),
    );
  const links = own.links.flatMap(({ prefixes }) =>
    prefixes.flatMap((text) => readable(() => rangeOf(parsePrefix(text)))),
  );
  return without(mergeRanges(wide), mergeRanges(links));
}

function widened({ family, first, last }: Range, { advertisements }: PoolView): Range {
  const lengths = advertisements.map(({ aggregation }) => aggregation[family]);
  const end = (value: bigint): Range[] =>
    lengths.map((length) => rangeOf(prefixOf({ family, value }, length)));
  const all = [{ family, first, last }, ...end(first), ...end(last)];
  return {
    family,
    first: all.reduce((least, range) => (range.first < least ? range.first : least), first),
    last: all.reduce((most, range) => (range.last > most ? range.last : most), last),
  };
}

/** Both sorted and disjoint, as mergeRanges gives them. */
function without(ranges: readonly Range[], holes: readonly Range[]): Range[] {
  return holes.reduce<Range[]>(
    (rest, hole) =>
      rest.flatMap((range) => {
        if (range.family !== hole.family || hole.last < range.first || hole.first > range.last)
          return [range];
        const before = { ...range, last: hole.first - 1n };
        const behind = { ...range, first: hole.last + 1n };
        return [before, behind].filter(({ first, last }) => first <= last);
      }),
    [...ranges],
  );
}

/** Pools and links were judged before. A text that cannot be read gives no range. */
function readable(read: () => Range): Range[] {
  try {
    return [read()];
  } catch (error) {
    if (error instanceof AddressError) return [];
    throw error;
  }
}
