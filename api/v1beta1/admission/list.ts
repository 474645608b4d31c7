/** Lists in which nothing may be twice. Pure. */
import { canonical } from "#api/v1beta1/admission/canonical.ts";
import { type Fault, fault } from "#api/v1beta1/fault.ts";

/** One fault for each entry that is there already; `sameAs` gives equal texts for what counts as the same. */
export function twice<T>(
  field: string,
  list: readonly T[] | undefined,
  sameAs: (value: T) => string = canonical,
): Fault[] {
  const seen = new Map<string, number>();
  return (list ?? []).flatMap((value, at) => {
    const key = sameAs(value);
    const first = seen.get(key);
    seen.set(key, first ?? at);
    if (first === undefined) return [];
    return [fault(`${field}[${at}]`, `${canonical(value)} is already ${field}[${first}]`)];
  });
}
