/** What a list has that it had not before, place by place. Pure. */

export interface ListChange<T> {
  readonly gone: readonly T[];
  readonly fresh: readonly T[];
}

/**
 * Where both are equally long, the places that have another item; otherwise all between what they begin and what they end with
 * alike. An item that changed its place is in both lists. It costs a comparison of each place, and nothing is looked up.
 */
export function changeOf<T>(before: readonly T[], now: readonly T[]): ListChange<T> {
  const [gone, fresh]: [T[], T[]] = [[], []];
  if (before.length === now.length) {
    for (const [at, item] of now.entries()) {
      const last = before[at] as T;
      if (item === last) continue;
      gone.push(last);
      fresh.push(item);
    }
    return { gone, fresh };
  }
  const least = Math.min(before.length, now.length);
  let begin = 0;
  while (begin < least && before[begin] === now[begin]) begin += 1;
  let end = 0;
  while (end < least - begin && before[before.length - 1 - end] === now[now.length - 1 - end]) end += 1;
  return { gone: before.slice(begin, before.length - end), fresh: now.slice(begin, now.length - end) };
}
