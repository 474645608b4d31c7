/**
 * Indexes over lists that only ever grow. Many files are judged one object after the other, each beside all before it;
 * a new index for each would take time with the square of their number.
 */

/**
 * The index of a list, kept with the list. Items that were appended since the last call go through `take`. If the list
 * became shorter it was changed in another way, and its index is made again.
 */
export function growing<T, I>(
  create: () => I,
  take: (index: I, items: readonly T[]) => void,
): (list: readonly T[]) => I {
  const known = new WeakMap<readonly T[], { readonly index: I; count: number }>();
  return (list) => {
    let entry = known.get(list);
    if (entry === undefined || entry.count > list.length) {
      entry = { index: create(), count: 0 };
      known.set(list, entry);
    }
    if (entry.count < list.length) take(entry.index, entry.count === 0 ? list : list.slice(entry.count));
    entry.count = list.length;
    return entry.index;
  };
}

/** Items by a key, those of one key in the order of the list; items without a key are left out. */
export function groupedBy<T>(
  keyOf: (item: T) => string | undefined,
): (list: readonly T[]) => ReadonlyMap<string, readonly T[]> {
  return growing<T, Map<string, T[]>>(
    () => new Map(),
    (groups, items) => {
      for (const item of items) {
        const key = keyOf(item);
        if (key === undefined) continue;
        const group = groups.get(key);
        if (group === undefined) groups.set(key, [item]);
        else group.push(item);
      }
    },
  );
}
