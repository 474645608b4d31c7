/** A sorted list of texts that is kept while single ones come and go. */

/** If more keys than this change at once, sorting anew is cheaper than placing each. */
const MANY = 64;

/** The list with `added` and without `removed`, sorted; the same list if that changes nothing. */
export function withKeys(
  sorted: readonly string[],
  added: ReadonlySet<string>,
  removed: ReadonlySet<string>,
): readonly string[] {
  if (added.size === 0 && removed.size === 0) return sorted;
  if (added.size + removed.size > MANY) {
    const left = sorted.filter((key) => !removed.has(key) && !added.has(key));
    return [...left, ...added].sort();
  }
  const next = [...sorted];
  for (const key of removed) {
    const at = placeOf(next, key);
    if (next[at] === key) next.splice(at, 1);
  }
  for (const key of added) {
    const at = placeOf(next, key);
    if (next[at] !== key) next.splice(at, 0, key);
  }
  return next;
}

/** Where the key is, or where it would have to be put. Found by halving. */
export function placeOf(sorted: readonly string[], key: string): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] ?? key) < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Whether two lists hold the same values in the same order. */
export function sameItems<T>(a: readonly T[], b: readonly T[]): boolean {
  return a === b || (a.length === b.length && a.every((item, at) => item === b[at]));
}

/** In the order of the keys. */
export function sortedValues<T>(map: ReadonlyMap<string, T>): T[] {
  return [...map].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, value]) => value);
}
