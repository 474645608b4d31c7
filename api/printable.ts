/** Texts of users in messages: what a terminal would act on, or would show in another order, is shown as an escape. Pure. */

/**
 * C0, DEL and C1 (ECMA-48), the marks, embeddings, overrides and isolates of the bidirectional algorithm (UAX #9
 * section 2), and the separators of lines and paragraphs: one line stays one line, and reads as it is written. A
 * surrogate without its half is no character at all.
 */
const UNPRINTABLE = /[\p{Cc}\p{Bidi_Control}\u2028\u2029\p{Cs}]/gu;

const escapeOf = (unit: string): string => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;

/** The text with each of them as `\u202e`, which JSON reads as the same character. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, escapeOf);
}
