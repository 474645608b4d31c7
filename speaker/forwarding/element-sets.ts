/** Elements of the table's sets and maps as a plan gathers them: port by port, each with all of its own or with none. */
import { admittedSet, markValue, named } from "#speaker/forwarding/elements.ts";
import { type Element, FAMILIES, type Family, PROTOCOLS } from "#speaker/forwarding/types.ts";

/** Sets and maps of the table, without the family's digit; sets.ts declares them. */
const SETS = [
  "ports",
  "vips",
  "tier1v",
  "tier2v",
  "error1v",
  "error2v",
  "local",
  "hairpin",
  "translated",
  "restricted",
  ...PROTOCOLS.map(admittedSet),
  "guarded",
  "admitted_ping",
  "members",
  "carried",
  "routed",
] as const;
export type SetName = (typeof SETS)[number];

export class ElementSets {
  readonly #sets = new Map<string, Map<string, Element>>();
  readonly #pending: [name: string, element: Element][] = [];

  constructor() {
    for (const set of SETS) for (const family of FAMILIES) this.#sets.set(named(set, family), new Map());
    this.#sets.set("marks", new Map());
  }

  /** Counts from the next `commit` on. */
  add(set: SetName, family: Family, element: Element): void {
    this.#pending.push([named(set, family), element]);
  }

  addMark(mark: number): void {
    this.#pending.push(["marks", { key: markValue(mark) }]);
  }

  commit(): void {
    for (const [name, element] of this.#pending)
      this.#sets.get(name)?.set(element.key + (element.keyEnd ?? ""), element);
    this.#pending.length = 0;
  }

  /** Forgets what was added since the last `commit`. */
  rollback(): void {
    this.#pending.length = 0;
  }

  toRecord(): Record<string, readonly Element[]> {
    const sorted = [...this.#sets].map(([name, elements]): [string, Element[]] => [
      name,
      [...elements.values()].sort((a, b) => (a.key + (a.keyEnd ?? "") < b.key + (b.keyEnd ?? "") ? -1 : 1)),
    ]);
    return Object.fromEntries(sorted.sort(([a], [b]) => (a < b ? -1 : 1)));
  }
}
