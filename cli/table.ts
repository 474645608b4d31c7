/** Tables for people, as kubectl prints them. Pure. */
import { printable } from "#api/printable.ts";

const GAP = "   ";

/** Columns as wide as their widest cell; the last one is not filled up. A cell without a text is `-`. */
export function table(
  heads: readonly string[],
  rows: readonly (readonly (string | number | undefined)[])[],
): string {
  const texts = rows.map((row) => row.map(cell));
  const widths = heads.map((head, at) =>
    texts.reduce((most, row) => Math.max(most, width(row[at])), width(head)),
  );
  const line = (row: readonly string[]): string =>
    row
      .map((text, at) => (at === row.length - 1 ? text : text + " ".repeat((widths[at] ?? 0) - width(text))))
      .join(GAP)
      .trimEnd();
  return [heads, ...texts].map((row) => `${line(row)}\n`).join("");
}

const cell = (value: string | number | undefined): string =>
  value === undefined || value === "" ? "-" : printable(String(value));

/** In characters, not in units of UTF-16. */
const width = (text: string | undefined): number => [...(text ?? "")].length;

const UNITS = [
  ["d", 86_400],
  ["h", 3_600],
  ["m", 60],
] as const;

/** How long ago something was, in the largest unit of which there are two at least: `47h`, `3d`. */
export function ago(from: string | undefined, now: Date): string | undefined {
  const seconds = Math.floor((now.getTime() - Date.parse(from ?? "")) / 1_000);
  if (Number.isNaN(seconds)) return undefined;
  return spoken(Math.max(0, seconds));
}

/** Seconds in the largest unit of which there are two at least: `47h`, `3d`. */
export function spoken(seconds: number): string {
  for (const [unit, length] of UNITS)
    if (seconds >= 2 * length) return `${Math.floor(seconds / length)}${unit}`;
  return `${seconds}s`;
}
