/** A long list, a part at a time: searched, filtered and cut by the server. */
import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { At } from "#console/answers.ts";
import type { Part } from "#console/page-of.ts";
import type { ViewProps } from "./main.tsx";
import { hashOf } from "./place.ts";
import { usePoll } from "./poll.ts";
import { Table } from "./table.tsx";

export interface Column<T> {
  readonly head: string;
  readonly cell: (row: T, at: string) => ComponentChildren;
  readonly isNumber?: boolean;
}

interface ListProps<T> extends ViewProps {
  readonly path: string;
  /** Of the table, for those who do not see it. */
  readonly caption: string;
  readonly columns: readonly Column<T>[];
  readonly keyOf: (row: T) => string;
  readonly isBad?: (row: T) => boolean;
  /** Offers to show what is broken alone. */
  readonly hasBroken?: true;
  /** Offers to show first what has most traffic. */
  readonly hasTraffic?: true;
  /** Of the question beside what is the same for all lists. */
  readonly asked?: Readonly<Record<string, string>>;
  /** Shown above the table. */
  readonly head?: (answer: At & Part<T>) => ComponentChildren;
}

const LIMIT = 100;
const SEARCH_MS = 300;

export function List<T>(props: ListProps<T>) {
  const { path, place, token, onGone, caption, columns, keyOf, isBad } = props;
  const { search = "", only = "", order = "", offset = "" } = place.query;
  const query = new URLSearchParams({ ...props.asked, search, only, order, offset, limit: String(LIMIT) });
  const { answer, error } = usePoll<At & Part<T>>(`${path}?${query}`, token, onGone);
  const go = (changes: Readonly<Record<string, string>>): void =>
    location.replace(hashOf({ ...place, query: { ...place.query, offset: "", ...changes } }));
  return (
    <>
      <search class="search">
        <Search text={search} onText={(text) => go({ search: text })} />
        {props.hasBroken && (
          <label>
            <input
              type="checkbox"
              checked={only === "broken"}
              onChange={(event) => go({ only: event.currentTarget.checked ? "broken" : "" })}
            />{" "}
            Only what is broken
          </label>
        )}
        {props.hasTraffic && (
          <label>
            <input
              type="checkbox"
              checked={order === "busiest"}
              onChange={(event) => go({ order: event.currentTarget.checked ? "busiest" : "" })}
            />{" "}
            Busiest first
          </label>
        )}
        <Shown answer={answer} />
      </search>
      <Trouble error={error} />
      {answer !== undefined && props.head?.(answer)}
      {answer !== undefined && (
        <>
          <Table caption={caption}>
            <caption class="hidden">{caption}</caption>
            <thead>
              <tr>
                {columns.map(({ head, isNumber }) => (
                  <th key={head} scope="col" class={isNumber ? "number" : undefined}>
                    {head}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {answer.rows.map((row) => (
                <tr key={keyOf(row)} class={isBad?.(row) ? "bad" : undefined}>
                  {columns.map(({ head, cell, isNumber }) => (
                    <td key={head} class={isNumber ? "number" : undefined}>
                      {cell(row, answer.at)}
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </Table>
          <Pager part={answer} onOffset={(to) => go({ offset: to === 0 ? "" : String(to) })} />
        </>
      )}
    </>
  );
}

/** A question for each key that is pressed would be too many. */
function Search({ text, onText }: { readonly text: string; readonly onText: (text: string) => void }) {
  const [typed, setTyped] = useState(text);
  useEffect(() => {
    if (typed === text) return;
    const timer = setTimeout(() => onText(typed), SEARCH_MS);
    return () => clearTimeout(timer);
  }, [typed]);
  return (
    <label>
      Search{" "}
      <input
        type="search"
        maxLength={200}
        value={typed}
        onInput={(event) => setTyped(event.currentTarget.value)}
      />
    </label>
  );
}

function Shown<T>({ answer }: { readonly answer: (At & Part<T>) | undefined }) {
  const text =
    answer === undefined
      ? "Reading the cluster"
      : answer.fitting === answer.all
        ? `${answer.all} in all`
        : `${answer.fitting} of ${answer.all}`;
  return (
    <span role="status" class="count">
      {text}
    </span>
  );
}

function Pager<T>({ part, onOffset }: { readonly part: Part<T>; readonly onOffset: (to: number) => void }) {
  const { offset, rows, fitting } = part;
  if (fitting <= rows.length && offset === 0) return null;
  const end = offset + rows.length;
  return (
    <nav class="pager" aria-label="Parts of the list">
      <button type="button" disabled={offset === 0} onClick={() => onOffset(Math.max(0, offset - LIMIT))}>
        Before
      </button>
      <span>
        {rows.length === 0 ? `past the end of ${fitting}` : `${offset + 1} to ${end} of ${fitting}`}
      </span>
      <button type="button" disabled={end >= fitting} onClick={() => onOffset(end)}>
        Next
      </button>
    </nav>
  );
}

export function Trouble({ error }: { readonly error: string | undefined }) {
  return (
    <p role="alert" class="error">
      {error === undefined ? "" : `${error} What is shown may be old.`}
    </p>
  );
}
