/** The keyed difference between what is wanted and what is there. Pure; the order follows the inputs. */

export interface DiffInput<W, A, C> {
  readonly wanted: Iterable<W>;
  readonly actual: Iterable<A>;
  /** Identity: what has equal keys is the same thing, perhaps in another condition. */
  readonly wantedKey: (wanted: W) => string;
  readonly actualKey: (actual: A) => string;
  /** In what the two differ; undefined if in nothing that counts. */
  readonly change: (wanted: W, actual: A) => C | undefined;
}

export interface Difference<W, A, C> {
  readonly create: W[];
  readonly update: { readonly wanted: W; readonly actual: A; readonly change: C }[];
  readonly remove: A[];
  /** How many need nothing. */
  readonly same: number;
}

/** Two wanted things have one key: the plan contradicts itself. */
export class DuplicateKeyError extends Error {
  override readonly name = "DuplicateKeyError";
  readonly code = "DUPLICATE_KEY";
  readonly key: string;
  constructor(key: string) {
    super(`wanted twice: ${key}`);
    this.key = key;
  }
}

/**
 * What has to be done to `actual` so that it becomes `wanted`. A key that is there twice is kept once; the others
 * go to `remove`. DuplicateKeyError if a key is wanted twice.
 */
export function difference<W, A, C>(input: DiffInput<W, A, C>): Difference<W, A, C> {
  const wantedByKey = new Map<string, W>();
  for (const wanted of input.wanted) {
    const key = input.wantedKey(wanted);
    if (wantedByKey.has(key)) throw new DuplicateKeyError(key);
    wantedByKey.set(key, wanted);
  }
  const update: { wanted: W; actual: A; change: C }[] = [];
  const remove: A[] = [];
  const met = new Set<string>();
  let same = 0;
  for (const actual of input.actual) {
    const key = input.actualKey(actual);
    const wanted = wantedByKey.get(key);
    if (wanted === undefined || met.has(key)) {
      remove.push(actual);
      continue;
    }
    met.add(key);
    const change = input.change(wanted, actual);
    if (change === undefined) same += 1;
    else update.push({ wanted, actual, change });
  }
  const create = [...wantedByKey].filter(([key]) => !met.has(key)).map(([, wanted]) => wanted);
  return { create, update, remove, same };
}

/** Nothing is to be done. */
export function isEmpty(diff: Difference<unknown, unknown, unknown>): boolean {
  return diff.create.length + diff.update.length + diff.remove.length === 0;
}
