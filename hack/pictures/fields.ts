/** Values out of a file in YAML, each of the kind that is wanted; a fault names the file and the place in it. */
import { TONES, type Tone } from "./scene.ts";

/** A map of the file, with where it stands; each reader takes a key away, so that what is left over is a fault. */
export class Fields {
  readonly #place: string;
  readonly #values: Map<string, unknown>;

  constructor(value: unknown, place: string) {
    this.#place = place;
    if (typeof value !== "object" || value === null || Array.isArray(value))
      throw new Error(`${place}: no map`);
    this.#values = new Map(Object.entries(value));
  }

  #take(key: string): unknown {
    const value = this.#values.get(key);
    this.#values.delete(key);
    return value;
  }

  fault(key: string, what: string): Error {
    return new Error(`${this.#place}.${key}: ${what}`);
  }

  text(key: string, or?: string): string {
    const value = this.#take(key) ?? or;
    if (typeof value !== "string") throw this.fault(key, "no text");
    return value.trim();
  }

  number(key: string, or?: number): number {
    const value = this.#take(key) ?? or;
    if (typeof value !== "number") throw this.fault(key, "no number");
    return value;
  }

  maybe(key: string): number | undefined {
    return this.#values.has(key) ? this.number(key) : undefined;
  }

  flag(key: string): boolean {
    const value = this.#take(key) ?? false;
    if (typeof value !== "boolean") throw this.fault(key, "neither true nor false");
    return value;
  }

  one<T extends string>(key: string, of: readonly T[], or?: T): T {
    const text = this.text(key, or);
    const found = of.find((value) => value === text);
    if (found === undefined) throw this.fault(key, `"${text}" is none of ${of.join(", ")}`);
    return found;
  }

  tone(or: Tone = "plain"): Tone {
    return this.one("tone", TONES, or);
  }

  numbers(key: string, or?: readonly number[]): number[] {
    const value = this.#take(key) ?? or;
    if (!Array.isArray(value) || !value.every((item) => typeof item === "number"))
      throw this.fault(key, "no list of numbers");
    return value;
  }

  pair(key: string, or?: readonly [number, number]): [number, number] {
    const [first, second, ...more] = this.numbers(key, or);
    if (first === undefined || second === undefined || more.length > 0)
      throw this.fault(key, "no two numbers");
    return [first, second];
  }

  texts(key: string): string[] {
    const value = this.#take(key);
    if (!Array.isArray(value) || !value.every((item) => typeof item === "string"))
      throw this.fault(key, "no list of texts");
    return value;
  }

  list<T>(key: string, read: (fields: Fields) => T): T[] {
    const value = this.#take(key) ?? [];
    if (!Array.isArray(value)) throw this.fault(key, "no list");
    return value.map((item, at) => read(new Fields(item, `${this.#place}.${key}[${at}]`)));
  }

  map<T>(key: string, read: (fields: Fields) => T): Map<string, T> {
    const value = new Fields(this.#take(key) ?? {}, `${this.#place}.${key}`);
    const names = [...value.#values.keys()];
    return new Map(
      names.map((name) => [name, read(new Fields(value.#take(name), `${this.#place}.${key}.${name}`))]),
    );
  }

  entries(key: string): Map<string, string> {
    const value = new Fields(this.#take(key) ?? {}, `${this.#place}.${key}`);
    return new Map([...value.#values.keys()].map((name) => [name, value.text(name)]));
  }

  /** Nothing may be left that nobody has read: it would be a word with an error in it. */
  done(): void {
    const [left] = this.#values.keys();
    if (left !== undefined) throw this.fault(left, "is not known");
  }
}

/** Runs a reader, and sees that it has read everything. */
export const whole =
  <T>(read: (fields: Fields) => T) =>
  (fields: Fields): T => {
    const value = read(fields);
    fields.done();
    return value;
  };
