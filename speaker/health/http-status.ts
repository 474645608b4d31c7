/** The status of an answer of HTTP/1. Pure. */

const WHOLE = /^HTTP\/1\.[01] (\d{3})(?: [^\r\n]*)?\r?\n/;
/** What a status line may begin with, as far as it is there. */
const PART =
  /^(?:H|HT|HTT|HTTP|HTTP\/|HTTP\/1|HTTP\/1\.|HTTP\/1\.[01]|HTTP\/1\.[01] \d{0,3}|HTTP\/1\.[01] \d{3} [^\r\n]*\r?)$/;

/** "more": it has not all come yet; undefined: it is none. */
export function statusOf(head: string): number | "more" | undefined {
  const status = WHOLE.exec(head)?.[1];
  if (status !== undefined) return Number(status);
  return head === "" || PART.test(head) ? "more" : undefined;
}
