/**
 * One rule that an object breaks in one field. The webhook, the condition Valid and the offline command all show it.
 */
import { printable } from "#api/printable.ts";

export interface Fault {
  /** Path of the field: `spec.addresses[1]`. */
  readonly field: string;
  /** Value, rule, and the other object where there is one; the field is not repeated. */
  readonly message: string;
}

/** Fields and messages hold texts of users (keys, values, names), so both are made printable. */
export function fault(field: string, message: string): Fault {
  return { field: printable(field), message: printable(message) };
}

/** The whole sentence: `spec.addresses[1]: 10.0.0.1 is a bare address`. */
export function faultText({ field, message }: Fault): string {
  return `${field}: ${message}`;
}
