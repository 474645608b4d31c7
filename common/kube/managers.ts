/** Reads metadata.managedFields: which manager wrote which fields last. Pure. */

/** An entry of metadata.managedFields. */
export interface ManagedFields {
  readonly manager?: string;
  readonly operation?: string;
  readonly apiVersion?: string;
  /** RFC 3339. */
  readonly time?: string;
  readonly fieldsType?: string;
  readonly fieldsV1?: FieldSet;
  readonly subresource?: string;
}

/**
 * Sets of paths as the API server writes them: `{"f:spec": {"f:replicas": {}}}`; items of lists are `k:`, `v:`, `i:`.
 */
export interface FieldSet {
  readonly [key: string]: FieldSet;
}

/**
 * Who but `ours` wrote the field at `path` last, and through that subresource (undefined: the object itself); undefined
 * if nobody did. "[]" in a path is any item of a list.
 */
export function otherWriterOf(
  entries: readonly unknown[] | undefined,
  path: readonly string[],
  who: { readonly ours: string; readonly subresource: string | undefined },
): string | undefined {
  let last: ManagedFields | undefined;
  for (const entry of (entries ?? []) as readonly ManagedFields[]) {
    if (entry.manager === undefined || entry.manager === who.ours) continue;
    if (entry.subresource !== who.subresource || !has(entry.fieldsV1 ?? {}, path)) continue;
    // The API server says when each wrote; one without a time counts as written before all others.
    if (last === undefined || (entry.time ?? "") >= (last.time ?? "")) last = entry;
  }
  return last?.manager;
}

/** A list that is written as one whole ends where its items would begin. */
function has(set: FieldSet, path: readonly string[]): boolean {
  const [head, ...rest] = path;
  if (head === undefined) return true;
  if (head !== "[]") {
    const inner = Object.hasOwn(set, `f:${head}`) ? set[`f:${head}`] : undefined;
    return inner !== undefined && has(inner, rest);
  }
  const items = Object.keys(set).filter((key) => /^[kvi]:/.test(key));
  return items.length === 0 || items.some((key) => has(set[key] ?? {}, rest));
}

/** Which managers wrote this item of the list of strings at `path`, by any subresource. */
export function writersOfItem(
  entries: readonly unknown[] | undefined,
  path: readonly string[],
  item: string,
): string[] {
  const full = [...path.map((name) => `f:${name}`), `v:${JSON.stringify(item)}`];
  return ((entries ?? []) as readonly ManagedFields[]).flatMap(({ manager, fieldsV1 }) => {
    let set: FieldSet | undefined = fieldsV1;
    for (const key of full) set = set !== undefined && Object.hasOwn(set, key) ? set[key] : undefined;
    return manager === undefined || set === undefined ? [] : [manager];
  });
}
