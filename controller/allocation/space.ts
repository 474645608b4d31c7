/**
 * The addresses of one family that a pool may give, numbered 0, 1, 2, ... from the lowest without a gap.
 * Nothing is expanded: ranges are kept as first and last, and what is left out of them is arithmetic (skip.ts).
 */
import { type LeftOut, NOTHING, type Skip } from "#controller/allocation/skip.ts";

export interface Span {
  readonly first: bigint;
  readonly last: bigint;
  /** What of it is not given; nothing where absent. */
  readonly skip?: Skip;
}

/** How the addresses of a span are numbered; those that it leaves out have no number. */
interface NumberedSpan extends Required<Span> {
  /** Number of the span's first numbered address. */
  readonly base: bigint;
  readonly count: bigint;
}

export class AddressSpace {
  /** How many addresses there are. */
  readonly size: bigint;
  readonly #spans: readonly NumberedSpan[];

  /** `spans` in any order, overlapping or not: where two overlap, the one that begins first says what is left out. */
  constructor(spans: readonly Span[]) {
    const numbered: NumberedSpan[] = [];
    let base = 0n;
    for (const { first, last, skip = NOTHING } of mergeSpans(spans)) {
      const count = skip.givenBelow(last + 1n) - skip.givenBelow(first);
      numbered.push({ first, last, skip, base, count });
      base += count;
    }
    this.#spans = numbered;
    this.size = base;
  }

  /** Lowest first, none overlapping another, with all that is left out of them. */
  spans(): readonly Span[] {
    return this.#spans;
  }

  /** The number of an address; undefined if it is not one of the space. */
  indexOf(address: bigint): bigint | undefined {
    const span = this.#spanOf(address);
    if (span === undefined || span.skip.has(address)) return undefined;
    return span.base + span.skip.givenBelow(address) - span.skip.givenBelow(span.first);
  }

  /** Why the address is left out; undefined if it is not, or lies in no span at all. */
  leftOut(address: bigint): LeftOut | undefined {
    const skip = this.#spanOf(address)?.skip;
    return skip?.has(address) === true ? skip.why : undefined;
  }

  /** The address with that number. RangeError outside of 0..size-1. */
  addressAt(index: bigint): bigint {
    const span = index < 0n ? undefined : this.#findLast((each) => each.base <= index);
    if (span === undefined || index >= span.base + span.count) {
      throw new RangeError(`${index} is not in 0..${this.size - 1n}`);
    }
    return span.skip.given(span.skip.givenBelow(span.first) + index - span.base);
  }

  #spanOf(address: bigint): NumberedSpan | undefined {
    const span = this.#findLast((each) => each.first <= address);
    return span !== undefined && address <= span.last ? span : undefined;
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

/** Sorted, without overlaps; neighbours of which the same is left out are joined. */
export function mergeSpans(spans: readonly Span[]): Span[] {
  const merged: Span[] = [];
  for (const span of spans.toSorted((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : 0))) {
    const before = merged.at(-1);
    if (before === undefined || span.first > before.last + 1n) merged.push(span);
    else if (span.last <= before.last) continue;
    else if (span.skip === before.skip) merged[merged.length - 1] = { ...before, last: span.last };
    else merged.push({ ...span, first: before.last + 1n });
  }
  return merged;
}
