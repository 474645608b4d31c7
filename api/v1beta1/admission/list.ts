/** Lists in which nothing may be twice. Pure. */
import { type Refusal, refusal } from "#api/v1beta1/refusal.ts";

/** JSON with sorted keys: two selectors are the same where this is. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === "object" && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}

/** One refusal for each entry that is there already; `sameAs` gives equal texts for what counts as the same. */
export function twice<T>(
  field: string,
  list: readonly T[] | undefined,
  sameAs: (value: T) => string = canonical,
): Refusal[] {
  const seen = new Map<string, number>();
  return (list ?? []).flatMap((value, at) => {
    const key = sameAs(value);
    const first = seen.get(key);
    seen.set(key, first ?? at);
    if (first === undefined) return [];
    return [refusal(`${field}[${at}]`, `${canonical(value)} is already ${field}[${first}]`)];
  });
}
