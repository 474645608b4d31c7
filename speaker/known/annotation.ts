/** Reads annotations, which are texts and may be any. Pure. */
import { type Reader, UnusableError } from "./usable.ts";

export type Annotations = Readonly<Record<string, unknown>>;

export const fieldOf = (name: string): string => `metadata.annotations["${name}"]`;

export const integerText =
  (least: number, most: number): Reader<number> =>
  (value, field) => {
    const number = typeof value === "string" && /^\d{1,9}$/.test(value) ? Number(value) : Number.NaN;
    if (!(number >= least && number <= most))
      throw new UnusableError(field, value, `an integer from ${least} to ${most}`);
    return number;
  };
