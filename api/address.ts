/**
 * Addresses, prefixes and ranges of both families as numbers: strict parsing, one canonical spelling, arithmetic.
 *
 * Which texts are addresses is node:net's rule (inet_pton); what it accepts and we do not want (zones, IPv4-mapped) is
 * refused here. The number of such a text, and the text of a number, are ip-bigint's: it is right about all of them and
 * several times as fast as shifting groups. It checks nothing: to it `1.2.3.4.5`, `10.0.0.256` and `1::2::3` are
 * addresses with some number, so it is asked about texts alone that node:net has accepted.
 *
 * Prefixes and ranges are our own. cidr-tools takes 10.0.0.0/33, 10.0.0.0/08 and 010.0.0.1/8, knows no `first-last`,
 * and asks of texts what we ask of numbers, which have been parsed once (address.test.ts compares the two where both
 * are right; parsing every time makes its overlap three times as slow, and merging no faster).
 */
import { isIPv4, isIPv6 } from "node:net";
import { parseIp, stringifyIp } from "ip-bigint";
import { printable } from "#api/printable.ts";

export type Family = "IPv4" | "IPv6";
export const FAMILIES: readonly Family[] = ["IPv4", "IPv6"];

/** Bits of an address. */
export const WIDTH: Readonly<Record<Family, number>> = { IPv4: 32, IPv6: 128 };

export interface Address {
  readonly family: Family;
  /** 0..2^WIDTH-1, most significant byte first on the wire. */
  readonly value: bigint;
}

/** Address with the host bits zero, and its length. */
export interface Prefix {
  readonly family: Family;
  readonly value: bigint;
  readonly length: number;
}

/** First and last address, inclusive, of one family. */
export interface Range {
  readonly family: Family;
  readonly first: bigint;
  readonly last: bigint;
}

/** The text is no address, prefix or range. `rule` tells the user why, without repeating the text. */
export class AddressError extends Error {
  readonly code = "BadAddress";
  readonly text: string;
  readonly rule: string;
  constructor(text: string, rule: string) {
    super(printable(`${JSON.stringify(text.slice(0, 100))} ${rule}`));
    this.name = "AddressError";
    this.text = text;
    this.rule = rule;
  }
}

/** The family of what is known to be an address or a prefix: only IPv6 writes colons. */
export const familyOf = (text: string): Family => (text.includes(":") ? "IPv6" : "IPv4");

/** The longest spelling of two IPv6 addresses with spaces; longer input is refused unread. */
const MAX_TEXT = 128;

/**
 * The address, or undefined if the text is not exactly one: no zone, no spaces, no IPv4-mapped IPv6, no leading zeros.
 */
export function parseAddress(text: string): Address | undefined {
  if (text.length > MAX_TEXT) return undefined;
  if (isIPv4(text)) return { family: "IPv4", value: parseIp(text).number };
  if (!isIPv6(text) || text.includes("%")) return undefined;
  const value = parseIp(text).number;
  return isMapped(value) ? undefined : { family: "IPv6", value };
}

/** Of ::ffff:0:0/96: an IPv4 address, which is written as one. */
const isMapped = (value: bigint): boolean => value >> 32n === 0xffffn;

/** The address in `10.0.0.1` or `10.0.0.1/24`, as a link has it. What is behind the slash is not looked at. */
export function parseLinkAddress(text: string): Address | undefined {
  const slash = text.indexOf("/");
  return parseAddress(slash < 0 ? text : text.slice(0, slash));
}

/** `address/length`; host bits are masked off. AddressError otherwise, for a bare address too. */
export function parsePrefix(text: string): Prefix {
  const slash = text.indexOf("/");
  if (slash < 0) throw new AddressError(text, "is not a prefix: write address/length");
  const address = requireAddress(text, text.slice(0, slash));
  const digits = text.slice(slash + 1);
  const width = WIDTH[address.family];
  const length = /^(0|[1-9][0-9]{0,2})$/.test(digits) ? Number(digits) : Number.NaN;
  if (!(length <= width)) {
    throw new AddressError(text, `has no prefix length of ${address.family} (0 to ${width}) after the slash`);
  }
  return prefixOf(address, length);
}

/**
 * What a pool may contain: `address/length` (host bits masked) or `first-last` (spaces round the dash allowed).
 * AddressError for anything else: a bare address, a reversed range, one of two families.
 */
export function parseRange(text: string): Range {
  if (text.length > MAX_TEXT) throw new AddressError(text, `is longer than ${MAX_TEXT} characters`);
  const dash = text.indexOf("-");
  if (dash < 0) {
    if (text.includes("/")) return rangeOf(parsePrefix(text));
    const address = parseAddress(text);
    if (address === undefined) throw new AddressError(text, "is neither address/length nor first-last");
    throw new AddressError(
      text,
      `is a bare address: write ${text}/${WIDTH[address.family]} for this one address`,
    );
  }
  const first = requireAddress(text, text.slice(0, dash).replace(/ +$/, ""));
  const last = requireAddress(text, text.slice(dash + 1).replace(/^ +/, ""));
  if (first.family !== last.family) {
    throw new AddressError(text, `mixes families: ${first.family} first, ${last.family} last`);
  }
  if (last.value < first.value)
    throw new AddressError(text, "is reversed: its last address is before its first");
  return { family: first.family, first: first.value, last: last.value };
}

/** Canonical text: dotted decimal, or RFC 5952 (lower case, longest run of zeros shortened, first of equals). */
export function formatAddress({ family, value }: Address): string {
  return stringifyIp({ number: value, version: family === "IPv4" ? 4 : 6 });
}

/** `address/length`. */
export function formatPrefix(prefix: Prefix): string {
  return `${formatAddress(prefix)}/${prefix.length}`;
}

/** As a prefix where it is one, else `first-last`. */
export function formatRange(range: Range): string {
  const { family, first, last } = range;
  const length = WIDTH[family] - bitLength(last - first);
  const isPrefix = (first & hostMask(family, length)) === 0n && last === (first | hostMask(family, length));
  if (isPrefix) return formatPrefix({ family, value: first, length });
  return `${formatAddress({ family, value: first })}-${formatAddress({ family, value: last })}`;
}

/** The prefix of that length which the address is in. RangeError if the family has no such length. */
export function prefixOf(address: Address, length: number): Prefix {
  const { family } = address;
  if (!Number.isInteger(length) || length < 0 || length > WIDTH[family]) {
    throw new RangeError(`${length} is no prefix length of ${family}`);
  }
  return { family, value: address.value & ~hostMask(family, length), length };
}

/** All addresses of a prefix, network and broadcast address included. */
export function rangeOf({ family, value, length }: Prefix): Range {
  return { family, first: value, last: value | hostMask(family, length) };
}

export function overlaps(a: Range, b: Range): boolean {
  return a.family === b.family && a.first <= b.last && b.first <= a.last;
}

/** How many addresses there are, at least 1. */
export function countOf({ first, last }: Range): bigint {
  return last - first + 1n;
}

/**
 * The fewest prefixes that make up the range, lowest first: at most 2 x WIDTH - 2 of them.
 */
export function prefixesOf({ family, first, last }: Range): Prefix[] {
  const prefixes: Prefix[] = [];
  for (let at = first; at <= last; ) {
    let bits = at === 0n ? WIDTH[family] : trailingZeros(at);
    while (at + (1n << BigInt(bits)) - 1n > last) bits -= 1;
    prefixes.push({ family, value: at, length: WIDTH[family] - bits });
    at += 1n << BigInt(bits);
  }
  return prefixes;
}

/** The ranges joined where they overlap or touch, IPv4 first, lowest first. */
export function mergeRanges(ranges: readonly Range[]): Range[] {
  const merged: { family: Family; first: bigint; last: bigint }[] = [];
  for (const range of ranges.toSorted(compareRanges)) {
    const previous = merged.at(-1);
    if (previous !== undefined && previous.family === range.family && range.first <= previous.last + 1n) {
      if (range.last > previous.last) previous.last = range.last;
    } else {
      merged.push({ ...range });
    }
  }
  return merged;
}

function compareRanges(a: Range, b: Range): number {
  if (a.family !== b.family) return a.family === "IPv4" ? -1 : 1;
  return a.first < b.first ? -1 : a.first > b.first ? 1 : 0;
}

function requireAddress(text: string, part: string): Address {
  const address = parseAddress(part);
  if (address === undefined) {
    if (part.length <= MAX_TEXT && isIPv6(part) && !part.includes("%")) {
      throw new AddressError(text, "overlaps ::ffff:0:0/96 (IPv4-mapped): write IPv4 addresses as such");
    }
    throw new AddressError(text, `is not understood: ${JSON.stringify(part.slice(0, 60))} is not an address`);
  }
  return address;
}

function hostMask(family: Family, length: number): bigint {
  return (1n << BigInt(WIDTH[family] - length)) - 1n;
}

function bitLength(value: bigint): number {
  return value === 0n ? 0 : value.toString(2).length;
}

function trailingZeros(value: bigint): number {
  const bits = value.toString(2);
  return bits.length - 1 - bits.lastIndexOf("1");
}
