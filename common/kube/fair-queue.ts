/**
 * A queue in which nobody waits for another one's second item: groups (namespaces) take turns, in a group owners
 * (objects) take turns, and an owner's first item goes before all that have had a turn. Pushing and shifting cost the
 * same whatever waits. Pure.
 */

export interface FairQueueLimits {
  /** Items that wait in all, and of one owner. */
  readonly total: number;
  readonly perOwner: number;
}

/** Owners that had a turn: so many are remembered, the latest. */
const MAX_SERVED = 4_096;

/** Group -> owner -> items. Maps keep the order in which keys were set: the first has the next turn. */
type Ring<T> = Map<string, Map<string, T[]>>;

export class FairQueue<T> {
  readonly #limits: FairQueueLimits;
  readonly #fresh: Ring<T> = new Map();
  readonly #served: Ring<T> = new Map();
  readonly #known = new Set<string>();
  #size = 0;

  constructor(limits: FairQueueLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#size;
  }

  /** What waits of the owner, the oldest first. */
  of(group: string, owner: string): readonly T[] {
    return this.#fresh.get(group)?.get(owner) ?? this.#served.get(group)?.get(owner) ?? [];
  }

  /** False if there is no room, for the owner or at all: then nothing changed. */
  push(group: string, owner: string, item: T): boolean {
    const waiting = this.of(group, owner);
    if (this.#size >= this.#limits.total || waiting.length >= this.#limits.perOwner) return false;
    this.#size += 1;
    if (waiting.length > 0) (waiting as T[]).push(item);
    else append(this.#known.has(owner) ? this.#served : this.#fresh, group, owner, [item]);
    return true;
  }

  shift(): T | undefined {
    const ring = this.#fresh.size > 0 ? this.#fresh : this.#served;
    const turn = ring.entries().next();
    if (turn.done === true) return undefined;
    const [group, owners] = turn.value;
    const [owner, items] = owners.entries().next().value as [string, T[]];
    const item = items.shift();
    owners.delete(owner);
    ring.delete(group);
    if (owners.size > 0) ring.set(group, owners);
    if (items.length > 0) append(this.#served, group, owner, items);
    this.#remember(owner);
    this.#size -= 1;
    return item;
  }

  #remember(owner: string): void {
    this.#known.delete(owner);
    this.#known.add(owner);
    if (this.#known.size <= MAX_SERVED) return;
    const oldest = this.#known.values().next();
    if (oldest.done !== true) this.#known.delete(oldest.value);
  }
}

function append<T>(ring: Ring<T>, group: string, owner: string, items: T[]): void {
  const owners = ring.get(group);
  if (owners === undefined) ring.set(group, new Map([[owner, items]]));
  else owners.set(owner, items);
}
