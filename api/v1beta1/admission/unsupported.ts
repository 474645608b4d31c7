/**
 * Fields that are in the schema because the design has them, and whose feature has not landed: setting one is refused
 * with its own reason, in the webhook and in the condition Valid, never ignored. Pure.
 */
import { type Fault, fault } from "#api/v1beta1/fault.ts";

export interface Unsupported {
  /** Path from the object. */
  readonly path: readonly string[];
  /** What the value must be for the fault; any value where absent. */
  readonly when?: (value: unknown) => boolean;
  /** What does not exist yet. */
  readonly feature: string;
}

function at(object: unknown, path: readonly string[]): unknown {
  let value = object;
  for (const name of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return undefined;
    value = (value as Record<string, unknown>)[name];
  }
  return value;
}

/** One fault for each of `fields` that the object sets. */
export function unsupportedFields(fields: readonly Unsupported[], object: unknown): Fault[] {
  return fields.flatMap(({ path, when, feature }) => {
    const value = at(object, path);
    if (value === undefined || when?.(value) === false) return [];
    return [
      fault(path.join("."), `${JSON.stringify(value)} is not supported yet: ${feature} has not landed`),
    ];
  });
}
