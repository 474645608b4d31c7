/**
 * Ranges that more are added to while it is asked which of them meets another one. Sorted lists of growing size, each
 * at least twice as long as the next: adding n ranges takes n log n steps, a question log n for each list.
 */
import type { Family, Range } from "#api/address.ts";

/** A range and whose it is. */
export interface Span<O> {
  readonly range: Range;
  readonly owner: O;
}

/** Sorted by first address; `furthest[n]` is the last address of the spans up to n. */
interface Sorted<O> {
  readonly spans: readonly Span<O>[];
  readonly furthest: readonly bigint[];
}

export class SpanIndex<O> {
  readonly #lists: Readonly<Record<Family, Sorted<O>[]>> = { IPv4: [], IPv6: [] };

  add(spans: readonly Span<O>[]): void {
    for (const family of ["IPv4", "IPv6"] as const) {
      const added = spans.filter(({ range }) => range.family === family);
      if (added.length > 0) join(this.#lists[family], added.sort(byFirst));
    }
  }

  /** Of the spans that have an address of `range`, the lowest whose owner is `wanted`. */
  find(range: Range, isWanted: (owner: O) => boolean = () => true): Span<O> | undefined {
    let lowest: Span<O> | undefined;
    for (const list of this.#lists[range.family]) {
      const found = findIn(list, range, isWanted);
      if (found !== undefined && (lowest === undefined || byFirst(found, lowest) < 0)) lowest = found;
    }
    return lowest;
  }
}

function byFirst<O>({ range: a }: Span<O>, { range: b }: Span<O>): number {
  if (a.first !== b.first) return a.first < b.first ? -1 : 1;
  return a.last < b.last ? -1 : a.last > b.last ? 1 : 0;
}

/** Appends the list, merged with those before it that are not twice as long. */
function join<O>(lists: Sorted<O>[], added: readonly Span<O>[]): void {
  let spans = added;
  for (let last = lists.at(-1); last !== undefined && last.spans.length < 2 * spans.length; ) {
    spans = merge(last.spans, spans);
    lists.pop();
    last = lists.at(-1);
  }
  let end = -1n;
  const furthest = spans.map(({ range }) => {
    if (range.last > end) end = range.last;
    return end;
  });
  lists.push({ spans, furthest });
}

function merge<O>(a: readonly Span<O>[], b: readonly Span<O>[]): Span<O>[] {
  const merged: Span<O>[] = [];
  let left = 0;
  for (const span of b) {
    for (let one = a[left]; one !== undefined && byFirst(one, span) <= 0; one = a[left]) {
      merged.push(one);
      left += 1;
    }
    merged.push(span);
  }
  for (; left < a.length; left += 1) merged.push(a[left] as Span<O>);
  return merged;
}

/**
 * No span before the first whose `furthest` reaches the range reaches it itself. Where spans do not overlap each other
 * the answer is there; what comes after is looked at only where that one is not wanted.
 */
function findIn<O>(
  { spans, furthest }: Sorted<O>,
  range: Range,
  isWanted: (owner: O) => boolean,
): Span<O> | undefined {
  let low = 0;
  let high = spans.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((furthest[middle] ?? 0n) < range.first) low = middle + 1;
    else high = middle;
  }
  for (let at = low; at < spans.length; at += 1) {
    const span = spans[at];
    if (span === undefined || span.range.first > range.last) return undefined;
    if (span.range.last >= range.first && isWanted(span.owner)) return span;
  }
  return undefined;
}
