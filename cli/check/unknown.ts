/** Fields that a kind does not have: kubectl refuses them (its strict validation), so a repository's CI does. Pure. */

import { type Fault, fault } from "#api/v1beta1/fault.ts";
import { SCHEMAS } from "#api/v1beta1/generated/schemas.ts";

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly additionalProperties?: unknown;
  readonly "x-kubernetes-preserve-unknown-fields"?: boolean;
}

/** Kinds and fields are words of the user's: `constructor` is there only where a schema says so. */
export function ownOf<T>(map: Readonly<Record<string, T>> | undefined, name: string): T | undefined {
  return map !== undefined && Object.hasOwn(map, name) ? map[name] : undefined;
}

/** One fault for each; metadata is Kubernetes' own. */
export function unknownFields(kind: string, object: Readonly<Record<string, unknown>>): Fault[] {
  const schema = ownOf(SCHEMAS as Readonly<Record<string, Schema>>, kind);
  if (schema === undefined) return [];
  const { metadata: _metadata, ...rest } = object;
  return strangers(schema, rest, "");
}

function strangers(schema: Schema, value: unknown, path: string): Fault[] {
  if (typeof value !== "object" || value === null) return [];
  if (Array.isArray(value)) {
    const { items } = schema;
    return items === undefined ? [] : value.flatMap((each, at) => strangers(items, each, `${path}[${at}]`));
  }
  if (schema["x-kubernetes-preserve-unknown-fields"] === true || schema.additionalProperties !== undefined) {
    return [];
  }
  return Object.entries(value).flatMap(([name, inner]) => {
    const field = path === "" ? name : `${path}.${name}`;
    const property = ownOf(schema.properties, name);
    return property === undefined ? [fault(field, "unknown field")] : strangers(property, inner, field);
  });
}
