/**
 * Writes elements of our sets and maps. The kernel takes a transaction whole or not at all. When it refuses one, the
 * owner whose elements it does not take (a port of a Service, an address) is found, and the elements of all other
 * owners are written.
 */
import type { Changes } from "#speaker/forwarding/changes.ts";
import { DOORS, elementKey, markValue, ownerOf } from "#speaker/forwarding/elements.ts";
import { faultOf } from "#speaker/forwarding/fault.ts";
import { isolate } from "#speaker/forwarding/isolate.ts";
import type { ElementTable } from "#speaker/forwarding/kernel.ts";
import type { Owners } from "#speaker/forwarding/owners.ts";
import type { Refusals } from "#speaker/forwarding/refusals.ts";
import { type Element, ForwardingError } from "#speaker/forwarding/types.ts";
import { NetlinkError } from "#speaker/netlink/error.ts";
import type { ServiceKey } from "#speaker/netlink/ipvs.ts";

/** The most transactions of one call: enough to find about ten refused owners among 60,000. */
const TRANSACTIONS = 200;

export type Elements = Map<string, readonly Element[]>;
export interface ElementDifference {
  readonly add: Elements;
  readonly remove: Elements;
}

type Table = Pick<ElementTable, "change" | "exists">;

export class ElementWriter {
  readonly #table: Table;
  readonly #refusals: Refusals;
  readonly #owners: Pick<Owners, "refusedElements">;

  constructor(table: Table, refusals: Refusals, owners: Pick<Owners, "refusedElements">) {
    this.#table = table;
    this.#refusals = refusals;
    this.#owners = owners;
  }

  /**
   * Leaves out what the kernel refused a moment ago. Nothing is marked for a server whose mark is somebody else's, or
   * that is not there. The mark of a missing server stays ours.
   */
  difference(
    wanted: ReadonlyMap<string, readonly Element[]>,
    present: ReadonlyMap<string, readonly Element[]>,
    without: { readonly others: readonly ServiceKey[]; readonly unusable: readonly ServiceKey[] },
  ): ElementDifference {
    const difference = { add: new Map<string, Element[]>(), remove: new Map<string, Element[]>() };
    const foreign = new Set(without.others.map(({ mark }) => markValue(mark)));
    const unmarked = new Set([...foreign, ...without.unusable.map(({ mark }) => markValue(mark))]);
    const isUsable = (set: string, { key, value }: Element): boolean =>
      set === "marks" ? !foreign.has(key) : value === undefined || !unmarked.has(value);
    for (const [set, elements] of wanted) {
      const usable = unmarked.size === 0 ? elements : elements.filter((element) => isUsable(set, element));
      const found = present.get(set) ?? [];
      const there = new Map(found.map((element) => [elementKey(element), element]));
      const should = new Map(found.length === 0 ? [] : usable.map((one) => [elementKey(one), one]));
      const isSame = (a: Element | undefined, b: Element): boolean => a !== undefined && a.value === b.value;
      const missing = usable.filter((element) => !isSame(there.get(elementKey(element)), element));
      const leftover = found.filter((element) => !isSame(should.get(elementKey(element)), element));
      if (missing.length > 0) difference.add.set(set, missing);
      if (leftover.length > 0) difference.remove.set(set, leftover);
    }
    return this.#due(difference);
  }

  /**
   * The same in parts of about `limit` elements. All elements of one owner are in one part. Addresses come behind their
   * ports, and go before them: between two parts no packet finds the one without the other.
   */
  parts(difference: ElementDifference, limit: number): ElementDifference[] {
    if (sizeOf(difference) === 0) return [];
    if (sizeOf(difference) <= limit) return [difference];
    const parts: ElementDifference[] = [];
    let some: ElementDifference[] = [];
    let size = 0;
    for (const part of [...byOwner(difference).values()].sort((a, b) => rankOf(a) - rankOf(b))) {
      some.push(part);
      size += sizeOf(part);
      if (size < limit) continue;
      parts.push(joined(some));
      some = [];
      size = 0;
    }
    return some.length === 0 ? parts : [...parts, joined(some)];
  }

  /** Throws if the kernel takes no owner's elements. */
  write(difference: ElementDifference, changes: Changes): void {
    if (difference.add.size + difference.remove.size === 0) return;
    const error = this.#attempt(difference);
    if (error === undefined) {
      record(difference, changes);
      return;
    }
    if (!this.#table.exists()) throw faultOf(error);
    const parts = [...byOwner(difference)];
    const refused = isolate(
      parts,
      (some) => this.#attempt(joined(some.map(([, part]) => part))),
      TRANSACTIONS,
    );
    if (refused.length === parts.length && parts.length > 1) throw faultOf(error);
    for (const { item, error: why } of refused) this.#note(item[0], why);
    const owners = new Set(refused.map(({ item: [owner] }) => owner));
    const done = parts.filter(([owner]) => !owners.has(owner)).map(([, part]) => part);
    record(joined(done), changes);
  }

  /** Reads back what was written, and gives what still differs. */
  noteUnverified(difference: ElementDifference): void {
    for (const owner of byOwner(difference).keys()) this.#note(owner, undefined);
  }

  #note(owner: string, error: NetlinkError | undefined): void {
    this.#refusals.note(keyOf(owner), this.#owners.refusedElements(owner, error));
  }

  #due(difference: ElementDifference): ElementDifference {
    if (this.#refusals.isEmpty) return difference;
    const due = (elements: Elements): Elements => {
      const left = [...elements].map(([set, list]): [string, Element[]] => [
        set,
        list.filter(({ key }) => !this.#refusals.isPaused(keyOf(ownerOf(set, key)))),
      ]);
      return new Map(left.filter(([, list]) => list.length > 0));
    };
    return { add: due(difference.add), remove: due(difference.remove) };
  }

  #attempt(difference: ElementDifference): NetlinkError | undefined {
    try {
      this.#table.change(difference);
      return undefined;
    } catch (error) {
      if (!(error instanceof NetlinkError)) throw error;
      if (error.code === "EPERM") throw new ForwardingError("NoNetAdmin", error.message, { cause: error });
      return error;
    }
  }
}

const keyOf = (owner: string): string => `element ${owner}`;

function sizeOf({ add, remove }: ElementDifference): number {
  let size = 0;
  for (const elements of [add, remove]) for (const list of elements.values()) size += list.length;
  return size;
}

/** In which order owners are written: what is emptied first is filled last. */
function rankOf({ add, remove }: ElementDifference): number {
  const first = (elements: Elements): number => DOORS.findIndex((set) => elements.has(set));
  const [coming, going] = [first(add), first(remove)];
  if (coming >= 0) return DOORS.length - coming;
  return going >= 0 ? going - DOORS.length : 0;
}

/** The changes by owner. */
function byOwner({ add, remove }: ElementDifference): Map<string, ElementDifference> {
  const parts = new Map<string, { add: Map<string, Element[]>; remove: Map<string, Element[]> }>();
  for (const [action, elements] of [
    ["add", add],
    ["remove", remove],
  ] as const) {
    for (const [set, list] of elements) {
      for (const element of list) {
        const owner = ownerOf(set, element.key);
        const part = parts.get(owner) ?? { add: new Map(), remove: new Map() };
        parts.set(owner, part);
        append(part[action], set, element);
      }
    }
  }
  return parts;
}

function joined(parts: readonly ElementDifference[]): ElementDifference {
  const all = { add: new Map<string, Element[]>(), remove: new Map<string, Element[]>() };
  for (const part of parts) {
    for (const action of ["add", "remove"] as const) {
      for (const [set, list] of part[action]) for (const element of list) append(all[action], set, element);
    }
  }
  return all;
}

function append(elements: Map<string, Element[]>, set: string, element: Element): void {
  const list = elements.get(set);
  if (list === undefined) elements.set(set, [element]);
  else list.push(element);
}

function record({ add, remove }: ElementDifference, changes: Changes): void {
  for (const [action, elements] of [
    ["create", add],
    ["remove", remove],
  ] as const) {
    for (const [set, list] of elements)
      for (const { key } of list) changes.add({ action, kind: "element", name: `${set} ${key}` });
  }
}
