/** Faults that somebody could make, one each: a text of a file, and what stands in its place. */

export interface Mutant {
  readonly path: string;
  /** What goes wrong, as a sentence without its end. */
  readonly what: string;
  /** Stands once in the file. */
  readonly before: string;
  readonly after: string;
}

/** Path -> its mutants: what goes wrong, text before, text after. */
export type Faults = Readonly<
  Record<string, readonly (readonly [what: string, before: string, after: string])[]>
>;
