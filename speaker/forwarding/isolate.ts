/**
 * Finds what a kernel refuses in a transaction that is all or nothing: it halves the transaction until the refused item
 * is alone and everything else is done. Pure but for `attempt`.
 */

export interface Isolated<T, E> {
  readonly item: T;
  readonly error: E;
}

/**
 * `attempt` does all of the items or none, and returns the error if none. One refused item of n costs about 2 log2 n
 * attempts, which together carry no more than 3 n items. After `budget` attempts the items that are left count as
 * refused, with the last error of an attempt that had them. They will be tried again.
 */
export function isolate<T, E>(
  items: readonly T[],
  attempt: (items: readonly T[]) => E | undefined,
  budget: number,
): Isolated<T, E>[] {
  const refused: Isolated<T, E>[] = [];
  let left = budget;
  const narrow = (some: readonly T[], error: E): void => {
    const middle = some.length >> 1;
    if (middle === 0 || left <= 0) {
      for (const item of some) refused.push({ item, error });
      return;
    }
    for (const half of [some.slice(0, middle), some.slice(middle)]) {
      left -= 1;
      const again = left < 0 ? error : attempt(half);
      if (again !== undefined) narrow(half, again);
    }
  };
  if (items.length === 0) return refused;
  left -= 1;
  const error = attempt(items);
  if (error !== undefined) narrow(items, error);
  return refused;
}
