/**
 * Keeps the answer about one object short enough to read: an object may have thousands of faults, and the texts in them
 * are the user's. Pure.
 */
import { moreOf } from "#api/and-more.ts";
import { type Fault, faultText } from "#api/v1beta1/fault.ts";

/** A page or two in a terminal. */
const MOST = 64;
/** UTF-16 units of one text. The longest of ours that a person should see whole names ten Services. */
const LONGEST = 2_048;
/** UTF-16 units of all texts together; the first one is always part of the answer. */
const LONGEST_ALL = 32_768;

/** The text, or its beginning and how much of it is missing. */
export function shortened(text: string, longest = LONGEST): string {
  if (text.length <= longest) return text;
  // Does not cut between the two halves of a surrogate pair.
  const end = /[\ud800-\udbff]/.test(text.charAt(longest - 1)) ? longest - 1 : longest;
  return `${text.slice(0, end)}... and ${text.length - end} more characters`;
}

/** The first ones, and a last one that says how many there are beside them. */
function firstOf<T>(items: readonly T[], lengthOf: (item: T) => number, rest: (count: number) => T): T[] {
  let length = 0;
  const end = items.findIndex((item, at) => {
    length += lengthOf(item);
    return at >= MOST || (at > 0 && length > LONGEST_ALL);
  });
  return end < 0 ? [...items] : [...items.slice(0, end), rest(items.length - end)];
}

export function briefFaults(faults: readonly Fault[]): Fault[] {
  const some = firstOf(
    faults,
    (each) => Math.min(faultText(each).length, LONGEST),
    (count) => ({ field: "object", message: moreOf(count) }),
  );
  return some.map((each) => (faultText(each).length <= LONGEST ? each : shortenedFault(each)));
}

function shortenedFault({ field, message }: Fault): Fault {
  return { field: shortened(field, LONGEST / 4), message: shortened(message, LONGEST / 2) };
}

export function briefWarnings(warnings: readonly string[]): string[] {
  return firstOf(warnings, (text) => Math.min(text.length, LONGEST), moreOf).map((text) => shortened(text));
}
