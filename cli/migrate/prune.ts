/** Takes out what a kind of ours has no field for. Pure. */
import { SCHEMAS } from "#api/v1beta1/generated/schemas.ts";
import { ownOf } from "#cli/check/unknown.ts";
import { isMap } from "#cli/migrate/source.ts";

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly additionalProperties?: unknown;
  readonly "x-kubernetes-preserve-unknown-fields"?: boolean;
}

export interface Pruned {
  readonly value: unknown;
  /** Paths of what was taken out, with its value as JSON. */
  readonly dropped: readonly { readonly path: string; readonly value: string }[];
}

export function pruneSpec(kind: string, spec: unknown): Pruned {
  const schema = ownOf(SCHEMAS as Readonly<Record<string, Schema>>, kind)?.properties?.spec ?? {};
  const dropped: { path: string; value: string }[] = [];
  return { value: prune(schema, spec, "spec", dropped), dropped };
}

function prune(
  schema: Schema,
  value: unknown,
  path: string,
  dropped: { path: string; value: string }[],
): unknown {
  if (Array.isArray(value)) {
    const { items } = schema;
    return items === undefined
      ? value
      : value.map((each, at) => prune(items, each, `${path}[${at}]`, dropped));
  }
  const isOpen =
    schema["x-kubernetes-preserve-unknown-fields"] === true || schema.additionalProperties !== undefined;
  if (!isMap(value) || isOpen || schema.properties === undefined) return value;
  const kept: Record<string, unknown> = {};
  for (const [name, inner] of Object.entries(value)) {
    const property = ownOf(schema.properties, name);
    if (property !== undefined) kept[name] = prune(property, inner, `${path}.${name}`, dropped);
    else dropped.push({ path: `${path}.${name}`, value: JSON.stringify(inner) });
  }
  return kept;
}
