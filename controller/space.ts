/**
 * The addresses of one family that a pool may give, numbered 0, 1, 2, ... from the lowest without a gap.
 * Nothing is expanded: ranges are kept as first and last, and what avoidBuggyIPs leaves out is arithmetic.
 */

export interface Span {
  readonly first: bigint;
  readonly last: bigint;
}

/** How addresses of a span are numbered; with `skipsBuggy` those that end in .0 or .255 have no number. */
interface NumberedSpan extends Span {
  /** Number of the span's first numbered address. */
  readonly base: bigint;
  readonly count: bigint;
}

export class AddressSpace {
  /** How many addresses there are. */
  readonly size: bigint;
  readonly #spans: readonly NumberedSpan[];
  readonly #skipsBuggy: boolean;

  /** `spans` in any order, overlapping or not. `skipsBuggy` is for IPv4 only. */
  constructor(spans: readonly Span[], skipsBuggy = false) {
    const numbered: NumberedSpan[] = [];
    let base = 0n;
    for (const span of mergeSpans(spans)) {
      const count = skipsBuggy
        ? usableBelow(span.last + 1n) - usableBelow(span.first)
        : span.last - span.first + 1n;
      if (count > 0n) numbered.push({ ...span, base, count });
      base += count;
    }
    this.#spans = numbered;
    this.#skipsBuggy = skipsBuggy;
    this.size = base;
  }

  /** The spans with at least one address to give, lowest first, merged. */
  spans(): readonly Span[] {
    return this.#spans;
  }

  /** The number of an address; undefined if it is not one of the space. */
  indexOf(address: bigint): bigint | undefined {
    const span = this.#findLast((each) => each.first <= address);
    if (span === undefined || address > span.last) return undefined;
    if (!this.#skipsBuggy) return span.base + (address - span.first);
    if (isBuggy(address)) return undefined;
    return span.base + usableBelow(address) - usableBelow(span.first);
  }

  /** The address with that number. RangeError outside of 0..size-1. */
  addressAt(index: bigint): bigint {
    const span = index < 0n ? undefined : this.#findLast((each) => each.base <= index);
    if (span === undefined || index >= span.base + span.count) {
      throw new RangeError(`${index} is not in 0..${this.size - 1n}`);
    }
    const offset = index - span.base;
    if (!this.#skipsBuggy) return span.first + offset;
    return nthUsable(usableBelow(span.first) + offset);
  }

  /** The last span for which `isBefore` holds; it must hold for a beginning of the list and no further. */
  #findLast(isBefore: (span: NumberedSpan) => boolean): NumberedSpan | undefined {
    let low = 0;
    let high = this.#spans.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const span = this.#spans[middle];
      if (span !== undefined && isBefore(span)) low = middle + 1;
      else high = middle;
    }
    return this.#spans[low - 1];
  }
}

/** Sorted, without overlaps, neighbours joined. */
export function mergeSpans(spans: readonly Span[]): Span[] {
  const merged: Span[] = [];
  for (const span of spans.toSorted((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : 0))) {
    const before = merged.at(-1);
    if (before === undefined || span.first > before.last + 1n) merged.push(span);
    else if (span.last > before.last) merged[merged.length - 1] = { first: before.first, last: span.last };
  }
  return merged;
}

/** An IPv4 address that ends in 0 or 255: some routers take it for a network's or a broadcast address. */
export function isBuggy(address: bigint): boolean {
  const octet = address & 255n;
  return octet === 0n || octet === 255n;
}

/** How many IPv4 addresses below `address` are not buggy: 254 in each block of 256. */
function usableBelow(address: bigint): bigint {
  const octet = address & 255n;
  return (address >> 8n) * 254n + (octet === 0n ? 0n : octet - 1n);
}

/** The inverse of usableBelow for addresses that are not buggy. */
function nthUsable(count: bigint): bigint {
  return ((count / 254n) << 8n) + (count % 254n) + 1n;
}
