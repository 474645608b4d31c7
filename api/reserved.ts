/**
 * Addresses that the cluster itself uses: those of Nodes, and the ranges of Services and Pods. A pool may hold some by
 * mistake; they are given to nobody. Pure.
 */
import {
  AddressError,
  type Family,
  mergeRanges,
  parseAddress,
  parseRange,
  type Range,
} from "#api/address.ts";

/** What of a Node matters here. */
export interface NodeAddresses {
  readonly addresses: readonly string[];
  readonly podCIDRs: readonly string[];
}

/** Of a Node as the API server has it: host names among its addresses are left out. */
export function addressesOfNode({ spec, status }: NodeObject): NodeAddresses {
  return {
    addresses: (status?.addresses ?? []).flatMap(({ type, address }) => (/IP$/.test(type) ? [address] : [])),
    podCIDRs: spec?.podCIDRs ?? [],
  };
}

interface NodeObject {
  readonly spec?: { readonly podCIDRs?: readonly string[] };
  readonly status?: { readonly addresses?: readonly { readonly type: string; readonly address: string }[] };
}

/** A Node says of itself what it has: one that lies keeps a few addresses from others, and not a whole pool. */
const MOST_ADDRESSES = 32;
const MOST_CIDRS = 2;
const WIDEST: Readonly<Record<Family, bigint>> = { IPv4: 2n ** 16n, IPv6: 2n ** 80n };

interface Known {
  readonly range: Range;
  readonly why: string;
}

/** Immutable. */
export class Reserved {
  readonly #known: readonly Known[];
  readonly #merged: Readonly<Record<Family, readonly Range[]>>;

  constructor(nodes: Iterable<NodeAddresses> = [], serviceCIDRs: Iterable<string> = []) {
    const known: Known[] = [];
    for (const { addresses, podCIDRs } of nodes) {
      for (const text of addresses.slice(0, MOST_ADDRESSES)) {
        const found = parseAddress(text);
        if (found === undefined) continue; // A host name.
        const { family, value } = found;
        known.push({ range: { family, first: value, last: value }, why: "it is a Node's own address" });
      }
      for (const range of podCIDRs.slice(0, MOST_CIDRS).flatMap(read)) {
        const isNarrow = range.last - range.first < WIDEST[range.family];
        if (isNarrow) known.push({ range, why: "it is in a Node's Pod range" });
      }
    }
    for (const text of serviceCIDRs) {
      for (const range of read(text)) known.push({ range, why: "it is in the cluster's Service range" });
    }
    this.#known = known;
    const merged = mergeRanges(known.map(({ range }) => range));
    const of = (family: Family): Range[] =>
      merged.filter((range) => range.family === family).sort((a, b) => (a.first < b.first ? -1 : 1));
    this.#merged = { IPv4: of("IPv4"), IPv6: of("IPv6") };
  }

  /** The parts of the range that are reserved, lowest first, none overlapping another. */
  within({ family, first, last }: Range): Range[] {
    const ranges = this.#merged[family];
    let low = 0;
    let high = ranges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((ranges[middle]?.last ?? 0n) < first) low = middle + 1;
      else high = middle;
    }
    const parts: Range[] = [];
    for (let at = low; at < ranges.length; at += 1) {
      const range = ranges[at];
      if (range === undefined || range.first > last) break;
      parts.push({
        family,
        first: range.first > first ? range.first : first,
        last: range.last < last ? range.last : last,
      });
    }
    return parts;
  }

  /** Why an address is reserved; undefined if it is not. For messages: looks at all that is known. */
  why(family: Family, value: bigint): string | undefined {
    return this.#known.find(
      ({ range }) => range.family === family && range.first <= value && value <= range.last,
    )?.why;
  }
}

export const NOTHING_RESERVED = new Reserved();

function read(text: string): Range[] {
  try {
    return [parseRange(text)];
  } catch (error) {
    // It stands in another component's object: what cannot be read reserves nothing.
    if (error instanceof AddressError) return [];
    throw error;
  }
}
