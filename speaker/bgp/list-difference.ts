/**
 * What differs between two lists of advertisements. Peers that hear the same share their lists, so it is found once for
 * all of them, and a pass costs what is new and not what there is. Lists are never changed in place. Pure.
 */
import type { Advertisement } from "./types.ts";

export type List = readonly Advertisement[];

export interface Difference {
  /** In the list before and not in the one after: an object that was, whether or not its prefix has another one now. */
  readonly removed: List;
  readonly added: List;
  /** What of the list before is in the one after, by prefix; the list before itself where that is all of it. */
  readonly common: List;
}

const KNOWN = new WeakMap<List, WeakMap<List, Difference>>();

export function differenceOf(before: List, after: List): Difference {
  if (before === after) return { removed: [], added: [], common: before };
  const known = KNOWN.get(before) ?? new WeakMap<List, Difference>();
  KNOWN.set(before, known);
  const found = known.get(after) ?? between(before, after);
  known.set(after, found);
  return found;
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
  return { removed, added, common: without(before, removed, added) };
}

function without(before: List, removed: List, added: List): List {
  const changed = new Set(added.map(({ prefix }) => prefix));
  const gone = new Set(removed.filter(({ prefix }) => !changed.has(prefix)));
  return gone.size === 0 ? before : before.filter((one) => !gone.has(one));
}
