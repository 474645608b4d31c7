/** Addresses, prefixes and ranges as numbers. Strict: what `node:net` does not take for an address is none. */
import { isIPv4, isIPv6 } from "node:net";

export type Family = "IPv4" | "IPv6";
export const FAMILIES: readonly Family[] = ["IPv4", "IPv6"];

export interface Address {
  readonly family: Family;
  readonly value: bigint;
}

/** First to last address of one family, both included. */
export interface FamilySpan {
  readonly family: Family;
  readonly first: bigint;
  readonly last: bigint;
}

/** undefined if `text` is no address. A zone (`%eth0`) is none of ours; IPv4-mapped IPv6 stays IPv6. */
export function parseAddress(text: string): Address | undefined {
  if (isIPv4(text)) {
    const value = text.split(".").reduce((sum, octet) => sum * 256 + Number(octet), 0);
    return { family: "IPv4", value: BigInt(value) };
  }
  if (!isIPv6(text) || text.includes("%")) return undefined;
  return { family: "IPv6", value: parseGroups(text) };
}

function parseGroups(text: string): bigint {
  const dotted = /[0-9.]+$/.exec(text)?.[0] ?? "";
  const hex = dotted.includes(".") ? text.slice(0, -dotted.length) + hexOf(dotted) : text;
  const [head = "", tail] = hex.split("::");
  const before = head === "" ? [] : head.split(":");
  const after = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = new Array<string>(8 - before.length - after.length).fill("0");
  return BigInt(`0x${[...before, ...zeros, ...after].map((group) => group.padStart(4, "0")).join("")}`);
}

function hexOf(dotted: string): string {
  const [a = 0, b = 0, c = 0, d = 0] = dotted.split(".").map(Number);
  return `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
}

/** Canonical text: RFC 5952 for IPv6. */
export function formatAddress(address: Address): string {
  if (address.family === "IPv4") {
    const value = Number(address.value);
    return `${value >>> 24}.${(value >>> 16) & 255}.${(value >>> 8) & 255}.${value & 255}`;
  }
  const hex = address.value.toString(16).padStart(32, "0");
  const groups = (hex.match(/.{4}/g) ?? []).map((group) => group.replace(/^0{1,3}/, ""));
  const { start, length } = longestZeros(groups);
  if (length < 2) return groups.join(":");
  return `${groups.slice(0, start).join(":")}::${groups.slice(start + length).join(":")}`;
}

/** The first of the longest runs of "0" groups. */
function longestZeros(groups: readonly string[]): { readonly start: number; readonly length: number } {
  let best = { start: 0, length: 0 };
  let start = 0;
  for (const [at, group] of groups.entries()) {
    if (group !== "0") start = at + 1;
    else if (at + 1 - start > best.length) best = { start, length: at + 1 - start };
  }
  return best;
}

/** `address/length` (host bits are masked) or `first-last` (spaces round the hyphen); undefined for all else. */
export function parseSpan(text: string): FamilySpan | undefined {
  const [left = "", right, ...more] = text.includes("/") ? text.split("/") : text.split("-");
  if (right === undefined || more.length > 0) return undefined;
  const first = parseAddress(left.trim());
  if (first === undefined) return undefined;
  if (text.includes("/")) return parsePrefix(first, right.trim());
  const last = parseAddress(right.trim());
  if (last === undefined || last.family !== first.family || last.value < first.value) return undefined;
  return { family: first.family, first: first.value, last: last.value };
}

function parsePrefix(address: Address, length: string): FamilySpan | undefined {
  const bits = address.family === "IPv4" ? 32 : 128;
  if (!/^(0|[1-9][0-9]{0,2})$/.test(length) || Number(length) > bits) return undefined;
  const host = 1n << BigInt(bits - Number(length));
  const first = (address.value / host) * host;
  return { family: address.family, first, last: first + host - 1n };
}

/** Whether two spans have an address in common. */
export function overlaps(a: FamilySpan, b: FamilySpan): boolean {
  return a.family === b.family && a.first <= b.last && b.first <= a.last;
}

export function contains(span: FamilySpan, address: Address): boolean {
  return span.family === address.family && span.first <= address.value && address.value <= span.last;
}

/** Length of the widest prefix that lies whole in the span: 24 for 10.0.0.0-10.0.1.3. */
export function widestPrefix(span: FamilySpan): number {
  const bits = span.family === "IPv4" ? 32 : 128;
  for (let length = 0; length < bits; length += 1) {
    const size = 1n << BigInt(bits - length);
    const first = ((span.first + size - 1n) / size) * size;
    if (first + size - 1n <= span.last) return length;
  }
  return bits;
}
