/** Lists for people that stay short: the first ones, and how many there are beside them. Pure. */

/** `and 3 more`: a line of its own, or the end of one. */
export const moreOf = (count: number): string => `and ${count} more`;

/** `, and 3 more`, to follow the first ones; "" where there are no others. */
export const andMore = (count: number): string => (count > 0 ? `, ${moreOf(count)}` : "");

/** The first `most` of them, in one line. */
export function firstOf(all: readonly string[], most: number): string {
  return `${all.slice(0, most).join(", ")}${andMore(all.length - most)}`;
}

/** The first `most` lines, and one for the others, which ends with `where`: where they are seen. */
export function firstLines(lines: readonly string[], most: number, where = ""): string[] {
  if (lines.length <= most) return [...lines];
  return [...lines.slice(0, most), `${moreOf(lines.length - most)}${where}`];
}
