/** A part of a long list: what was asked for by `search`, `only`, `offset` and `limit` of the query. Pure. */

export interface Part<T> {
  /** All that there are, and those that fit the search. */
  readonly all: number;
  readonly fitting: number;
  readonly offset: number;
  readonly rows: readonly T[];
}

const LIMIT = 100;
const MOST = 200;
const LONGEST_SEARCH = 200;

/** `textOf`: what is searched; every word of the search has to be in it. */
export function partOf<T>(rows: readonly T[], query: URLSearchParams, textOf: (row: T) => string): Part<T> {
  const words = (query.get("search") ?? "")
    .slice(0, LONGEST_SEARCH)
    .toLowerCase()
    .split(/\s+/)
    .filter(Boolean);
  const fitting =
    words.length === 0
      ? rows
      : rows.filter((row) => {
          const text = textOf(row).toLowerCase();
          return words.every((word) => text.includes(word));
        });
  const limit = Math.min(MOST, numberOf(query.get("limit")) ?? LIMIT);
  const offset = numberOf(query.get("offset")) ?? 0;
  return { all: rows.length, fitting: fitting.length, offset, rows: fitting.slice(offset, offset + limit) };
}

function numberOf(text: string | null): number | undefined {
  return text !== null && /^[0-9]{1,7}$/.test(text) ? Number(text) : undefined;
}
