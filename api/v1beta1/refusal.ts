/** Why an object is not admitted: one rule, one field. */
import { printable } from "#api/printable.ts";

export interface Refusal {
  /** Path of the field: `spec.addresses[1]`. */
  readonly field: string;
  /** Whole sentence: field, value, rule, and the other object where there is one. */
  readonly message: string;
}

/** Fields and words hold texts of users: keys, values, names. */
export function refusal(field: string, words: string): Refusal {
  return { field: printable(field), message: printable(`${field}: ${words}`) };
}
