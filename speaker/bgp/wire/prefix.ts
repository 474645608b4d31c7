/** Prefixes as NLRI (RFC 4271 section 4.3): a length in bits, and as many octets as it needs. */
import { type Family, formatPrefix, parsePrefix, WIDTH } from "#api/address.ts";
import { Reader, type Short } from "./reader.ts";

/** A length of one octet, and the octets of an IPv6 address. */
export const MAX_PREFIX_BYTES = 17;

/** `10.0.0.0/8` -> 08 0a. AddressError for what is no prefix. */
export function encodePrefix(text: string): Buffer {
  const bytes = Buffer.alloc(MAX_PREFIX_BYTES);
  return bytes.subarray(0, writePrefix(text, bytes, 0));
}

/** The same, written at an offset that has room for it; returns where it ends. AddressError. */
export function writePrefix(text: string, bytes: Buffer, at: number): number {
  return writeHost4(text, bytes, at) ?? writeAny(text, bytes, at);
}

const [ZERO, DOT, SLASH] = ["0".charCodeAt(0), ".".charCodeAt(0), "/".charCodeAt(0)];

/**
 * A single IPv4 address, `192.0.2.1/32`, which is what most routes are: thousands in an UPDATE, so that no number and no
 * text is made of them. undefined for every other text; what was written then is of no meaning.
 */
function writeHost4(text: string, bytes: Buffer, at: number): number | undefined {
  if (!text.endsWith("/32") || text.length < "0.0.0.0/32".length) return undefined;
  bytes[at] = 32;
  let end = at + 1;
  let octet = 0;
  let digits = 0;
  for (let index = 0; ; index += 1) {
    const code = text.charCodeAt(index);
    const digit = code - ZERO;
    if (digit >= 0 && digit <= 9) {
      // "01" is no canonical octet.
      if (digits > 0 && octet === 0) return undefined;
      octet = octet * 10 + digit;
      digits += 1;
      if (octet > 255) return undefined;
      continue;
    }
    if (digits === 0 || end - at > 4 || (code !== DOT && code !== SLASH)) return undefined;
    bytes[end] = octet;
    end += 1;
    if (code === SLASH) return end - at === 5 && index === text.length - 3 ? end : undefined;
    octet = 0;
    digits = 0;
  }
}

function writeAny(text: string, bytes: Buffer, at: number): number {
  const { family, value, length } = parsePrefix(text);
  const octets = Math.ceil(length / 8);
  const hex = value.toString(16).padStart(WIDTH[family] / 4, "0");
  bytes[at] = length;
  bytes.write(hex.slice(0, octets * 2), at + 1, "hex");
  return at + 1 + octets;
}

/** All prefixes in `bytes`, host bits cleared; `fail` makes the error for a length that cannot be, or a short end. */
export function decodePrefixes(bytes: Buffer, family: Family, fail: Short): string[] {
  const reader = new Reader(bytes, fail);
  const prefixes: string[] = [];
  while (reader.left > 0) {
    const length = reader.u8("prefix length");
    if (length > WIDTH[family]) throw fail(`a prefix of ${family} with length ${length}`);
    prefixes.push(format(reader.bytes(Math.ceil(length / 8), "prefix"), family, length));
  }
  return prefixes;
}

function format(octets: Buffer, family: Family, length: number): string {
  let value = 0n;
  for (const octet of octets) value = (value << 8n) | BigInt(octet);
  value <<= BigInt(WIDTH[family] - octets.length * 8);
  const hostBits = BigInt(WIDTH[family] - length);
  return formatPrefix({ family, value: (value >> hostBits) << hostBits, length });
}
