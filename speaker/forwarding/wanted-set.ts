/** Elements of a set or map of ours that are wanted: a key and a value of each, since there are very many. */
import { elementKey, endsOf, isOfIntervals } from "#speaker/forwarding/elements.ts";
import type { Element } from "#speaker/forwarding/types.ts";

export class WantedSet {
  /** By `elementKey`; "" where the element has no value. */
  readonly #values = new Map<string, string>();
  readonly #isOfIntervals: boolean;

  constructor(name: string) {
    this.#isOfIntervals = isOfIntervals(name);
  }

  get size(): number {
    return this.#values.size;
  }

  has(key: string): boolean {
    return this.#values.has(key);
  }

  /** "" of one that has no value; undefined: it is not wanted. */
  valueOf(key: string): string | undefined {
    return this.#values.get(key);
  }

  get(key: string): Element | undefined {
    const value = this.#values.get(key);
    return value === undefined ? undefined : this.#element(key, value);
  }

  keys(): IteratorObject<string, undefined> {
    return this.#values.keys();
  }

  /** Keys and values. */
  entries(): IteratorObject<[key: string, value: string], undefined> {
    return this.#values.entries();
  }

  list(): Element[] {
    return Array.from(this.#values, ([key, value]) => this.#element(key, value));
  }

  set(element: Element): void {
    this.#values.set(elementKey(element), element.value ?? "");
  }

  delete(key: string): void {
    this.#values.delete(key);
  }

  #element(key: string, value: string): Element {
    const ends = endsOf(key, this.#isOfIntervals);
    return value === "" ? ends : { ...ends, value };
  }
}
