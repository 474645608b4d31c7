/** The cache of one resource: by key, by index, with notification of the keys that changed. */
import type { Cancel } from "#common/clock.ts";

/** What readers see. Values are shared: nobody may change one. */
export interface ReadStore<T> {
  /** `namespace/name`, or `name` (wire.ts `keyOf`). */
  get(key: string): T | undefined;
  has(key: string): boolean;
  list(): T[];
  keys(): string[];
  entries(): IterableIterator<[key: string, value: T]>;
  readonly size: number;
  /** Calls `listener` with the key of each value that was added, replaced or removed, after it happened. */
  subscribe(listener: (key: string) => void): Cancel;
  /** Kept up to date from now on; `terms` must depend on its argument alone. */
  addIndex(terms: (value: T, key: string) => readonly string[]): Index<T>;
}

export interface Index<T> {
  get(term: string): T[];
  keys(term: string): string[];
}

export class Store<T> implements ReadStore<T> {
  readonly #values = new Map<string, T>();
  readonly #listeners = new Set<(key: string) => void>();
  readonly #indexes: TermIndex<T>[] = [];

  get(key: string): T | undefined {
    return this.#values.get(key);
  }

  has(key: string): boolean {
    return this.#values.has(key);
  }

  list(): T[] {
    return [...this.#values.values()];
  }

  keys(): string[] {
    return [...this.#values.keys()];
  }

  entries(): IterableIterator<[key: string, value: T]> {
    return this.#values.entries();
  }

  get size(): number {
    return this.#values.size;
  }

  subscribe(listener: (key: string) => void): Cancel {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  addIndex(terms: (value: T, key: string) => readonly string[]): Index<T> {
    const index = new TermIndex(terms, this.#values);
    for (const [key, value] of this.#values) index.add(key, value);
    this.#indexes.push(index);
    return index;
  }

  /** Always notifies: the caller has found a difference. */
  set(key: string, value: T): void {
    const before = this.#values.get(key);
    for (const index of this.#indexes) {
      if (before !== undefined) index.remove(key, before);
      index.add(key, value);
    }
    this.#values.set(key, value);
    this.#notify(key);
  }

  /** False if it was not there. */
  delete(key: string): boolean {
    const before = this.#values.get(key);
    if (before === undefined) return false;
    for (const index of this.#indexes) index.remove(key, before);
    this.#values.delete(key);
    this.#notify(key);
    return true;
  }

  #notify(key: string): void {
    for (const listener of this.#listeners) listener(key);
  }
}

class TermIndex<T> implements Index<T> {
  readonly #terms: (value: T, key: string) => readonly string[];
  readonly #values: ReadonlyMap<string, T>;
  readonly #keys = new Map<string, Set<string>>();

  constructor(terms: (value: T, key: string) => readonly string[], values: ReadonlyMap<string, T>) {
    this.#terms = terms;
    this.#values = values;
  }

  get(term: string): T[] {
    const found: T[] = [];
    for (const key of this.#keys.get(term) ?? []) {
      const value = this.#values.get(key);
      if (value !== undefined) found.push(value);
    }
    return found;
  }

  keys(term: string): string[] {
    return [...(this.#keys.get(term) ?? [])];
  }

  add(key: string, value: T): void {
    for (const term of this.#terms(value, key)) {
      const keys = this.#keys.get(term);
      if (keys === undefined) this.#keys.set(term, new Set([key]));
      else keys.add(key);
    }
  }

  remove(key: string, value: T): void {
    for (const term of this.#terms(value, key)) {
      const keys = this.#keys.get(term);
      keys?.delete(key);
      if (keys?.size === 0) this.#keys.delete(term);
    }
  }
}
