/** A set from which one element is drawn by lot. */
export class Lot<T> {
  readonly #items: T[] = [];
  readonly #places = new Map<T, number>();

  get size(): number {
    return this.#items.length;
  }

  has(item: T): boolean {
    return this.#places.has(item);
  }

  add(item: T): void {
    if (this.#places.has(item)) return;
    this.#places.set(item, this.#items.length);
    this.#items.push(item);
  }

  delete(item: T): void {
    const place = this.#places.get(item);
    const last = this.#items.pop();
    if (place === undefined || last === undefined) {
      if (last !== undefined) this.#items.push(last);
      return;
    }
    this.#places.delete(item);
    if (place === this.#items.length) return;
    this.#items[place] = last;
    this.#places.set(last, place);
  }

  /** One of them, which stays in the set. Undefined if the set is empty. `chance` is evenly spread in [0, 1). */
  pick(chance: number): T | undefined {
    return this.#items[Math.floor(chance * this.#items.length)];
  }
}
