/**
 * Objects that must agree with each other and came in unjudged: which of them count. An object whose new configuration
 * is refused goes on with its last valid one. Pure but for what it remembers.
 */

import { type Fault, fault } from "#api/v1beta1/fault.ts";
import type { ObjectMeta } from "#api/v1beta1/generated/types.ts";

const MAX_ERROR = 500;

interface Configured {
  readonly metadata: ObjectMeta;
  readonly spec: unknown;
}

/** A configuration that was found valid. */
interface Accepted {
  readonly uid: string | undefined;
  readonly spec: unknown;
  /** To tell whether it is still the same. */
  readonly text: string;
}

/** What an object counts for. */
export interface Ruling<T> {
  /** The object as it is now. */
  readonly object: T;
  /** What is wrong with its present configuration; empty if nothing is. */
  readonly faults: readonly Fault[];
  /** What counts of it: itself, or itself as it was last valid; undefined if it never was beside the others. */
  readonly effective: T | undefined;
}

/** The rules of one object beside `others`, which count. */
export type Rules<T> = (object: T, others: readonly T[]) => readonly Fault[];

/**
 * Of objects that cannot be together the one that was accepted before stays, else the oldest, else the first by name:
 * everybody who looks at the same objects from the beginning decides the same.
 */
export class LastValid<T extends Configured> {
  readonly #rules: Rules<T>;
  readonly #accepted = new Map<string, Accepted>();

  constructor(rules: Rules<T>) {
    this.#rules = rules;
  }

  /** Never throws: an object that the rules cannot read is refused, and costs itself only. */
  judge(objects: readonly T[]): readonly Ruling<T>[] {
    const names = new Set(objects.map(({ metadata }) => metadata.name));
    for (const name of this.#accepted.keys()) if (!names.has(name)) this.#accepted.delete(name);
    const counting: T[] = [];
    return objects
      .toSorted((a, b) => this.#byPrecedence(a, b))
      .map((object) => {
        const faults = this.#faults(object, counting);
        const effective = faults.length === 0 ? object : this.#lastValid(object, counting);
        if (faults.length === 0) this.#accept(object);
        if (effective !== undefined) counting.push(effective);
        return { object, faults, effective };
      });
  }

  #accept({ metadata: { name, uid }, spec }: T): void {
    this.#accepted.set(name, { uid, spec, text: JSON.stringify(spec) });
  }

  /** The object as it was when it was last valid, if it still is beside `others`. */
  #lastValid(object: T, others: readonly T[]): T | undefined {
    const accepted = this.#accepted.get(object.metadata.name);
    if (accepted === undefined || accepted.uid !== object.metadata.uid) return undefined;
    const last = { ...object, spec: accepted.spec };
    return this.#faults(last, others).length === 0 ? last : undefined;
  }

  #faults(object: T, others: readonly T[]): readonly Fault[] {
    try {
      return this.#rules(object, others);
    } catch (error) {
      return [fault("object", `it cannot be read: ${String(error).slice(0, MAX_ERROR)}`)];
    }
  }

  #byPrecedence(a: T, b: T): number {
    const isChanged = ({ metadata, spec }: T): number =>
      this.#accepted.get(metadata.name)?.text === JSON.stringify(spec) ? 0 : 1;
    if (isChanged(a) !== isChanged(b)) return isChanged(a) - isChanged(b);
    const age = ({ metadata }: T): string => [metadata.creationTimestamp, metadata.name].join(" ");
    return age(a) < age(b) ? -1 : 1;
  }
}
