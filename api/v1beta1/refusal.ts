/** Why an object is not admitted: one rule, one field. */
export interface Refusal {
  /** Path of the field: `spec.addresses[1]`. */
  readonly field: string;
  /** Whole sentence: field, value, rule, and the other object where there is one. */
  readonly message: string;
}

export function refusal(field: string, words: string): Refusal {
  return { field, message: `${field}: ${words}` };
}
