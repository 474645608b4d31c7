/** Addresses that no Service can have, whatever the network is: a pool with one of them would give it away one day. */
import { type Address, overlaps, parsePrefix, type Range, rangeOf } from "#api/address.ts";

interface SpecialRange {
  /** As its RFC writes it. */
  readonly text: string;
  /** What it is, after the text. */
  readonly name: string;
  readonly range: Range;
}

/** RFC 6890 and its registries; multicast is RFC 5771 and RFC 4291 section 2.7. */
const NAMES: readonly (readonly [text: string, name: string])[] = [
  ["0.0.0.0/8", "this host on this network"],
  ["127.0.0.0/8", "loopback"],
  ["169.254.0.0/16", "link-local"],
  ["224.0.0.0/4", "multicast"],
  ["240.0.0.0/4", "reserved, and broadcast"],
  ["::/128", "the unspecified address"],
  ["::1/128", "loopback"],
  ["fe80::/10", "link-local"],
  ["ff00::/8", "multicast"],
];

/** Not by parsePrefix, which reads no such address: each of them is IPv4, whatever it is dressed in. */
const MAPPED: SpecialRange = {
  text: "::ffff:0:0/96",
  name: "IPv4-mapped",
  range: { family: "IPv6", first: 0xffffn << 32n, last: (0xffffn << 32n) | 0xffff_ffffn },
};

const SPECIAL: readonly SpecialRange[] = [
  ...NAMES.map(([text, name]) => ({ text, name, range: rangeOf(parsePrefix(text)) })),
  MAPPED,
];

/** Why no pool may have the range, which special ranges it meets; undefined if it meets none. */
export function whySpecial(range: Range): string | undefined {
  const met = SPECIAL.filter((each) => overlaps(each.range, range));
  if (met.length === 0) return undefined;
  return `overlaps ${met.map(({ text, name }) => `${text} (${name})`).join(", ")}: no Service can be reached there`;
}

/** The special range that has the address, as `127.0.0.0/8 (loopback)`; undefined if none has. */
export function specialRangeOf({ family, value }: Address): string | undefined {
  const found = SPECIAL.find(
    ({ range }) => range.family === family && range.first <= value && value <= range.last,
  );
  return found === undefined ? undefined : `${found.text} (${found.name})`;
}
