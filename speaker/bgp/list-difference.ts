/**
 * What differs between two lists of advertisements. Peers that hear the same share their lists, so it is found once for
 * all of them, and a pass costs what is new and not what there is. Lists are never changed in place. Pure.
 */
import type { Advertisement } from "./types.ts";

export type List = readonly Advertisement[];

/** What a session has been told when it begins: one list for all, so that what differs from it is found once. */
export const NOTHING: List = [];

export interface Difference {
  /** In the list before and not in the one after: an object that was, whether or not its prefix has another one now. */
  readonly removed: List;
  /** Those of them whose prefix is not in the list after. */
  readonly gone: List;
  readonly added: List;
  /** What of the list before is in the one after, by prefix; the list before itself where that is all of it. */
  readonly common: List;
}

const KNOWN = new WeakMap<List, WeakMap<List, Difference>>();

export function differenceOf(before: List, after: List): Difference {
  if (before === after) return { removed: [], gone: [], added: [], common: before };
  const known = KNOWN.get(before) ?? new WeakMap<List, Difference>();
  KNOWN.set(before, known);
  const found = known.get(after) ?? between(before, after);
  known.set(after, found);
  return found;
}

const PARTS = new WeakMap<List, WeakMap<List, { readonly count: number; readonly list: List }>>();

/** A list on the way from the one to the other: the first `count` prefixes that are gone, and then the first that are added. */
export function partOf(before: List, after: List, count: number): List {
  const known = PARTS.get(before) ?? new WeakMap();
  PARTS.set(before, known);
  const last = known.get(after);
  if (last?.count === count) return last.list;
  const { gone, added, common } = differenceOf(before, after);
  const list =
    gone.length >= count
      ? without(before, gone.slice(0, count))
      : withFirst(common, after, added.slice(count - gone.length));
  known.set(after, { count, list });
  return list;
}

/** What of `after` is not to wait, and what `before` has of the prefixes of which it is. */
function withFirst(before: List, after: List, waiting: List): List {
  const later = new Set(waiting);
  const prefixes = new Set(waiting.map(({ prefix }) => prefix));
  return [...after.filter((one) => !later.has(one)), ...before.filter(({ prefix }) => prefixes.has(prefix))];
}

/** The same head and the same tail, which are most of both lists, cost a comparison each. */
function between(before: List, after: List): Difference {
  const shorter = Math.min(before.length, after.length);
  let head = 0;
  while (head < shorter && before[head] === after[head]) head += 1;
  let tail = 0;
  while (tail < shorter - head && before.at(-1 - tail) === after.at(-1 - tail)) tail += 1;
  const old = before.slice(head, before.length - tail);
  const young = after.slice(head, after.length - tail);
  const [had, has] = [new Set(old), new Set(young)];
  const removed = old.filter((one) => !has.has(one));
  const added = young.filter((one) => !had.has(one));
  const changed = new Set(added.map(({ prefix }) => prefix));
  const gone = removed.filter(({ prefix }) => !changed.has(prefix));
  return { removed, gone, added, common: without(before, gone) };
}

function without(before: List, gone: List): List {
  if (gone.length === 0) return before;
  const all = new Set(gone);
  return before.filter((one) => !all.has(one));
}
