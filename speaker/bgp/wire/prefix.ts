/** Prefixes as NLRI (RFC 4271 section 4.3): a length in bits, and as many octets as it needs. */
import { type Family, formatPrefix, parsePrefix, WIDTH } from "#api/address.ts";
import { Reader, type Short } from "./reader.ts";

/** `10.0.0.0/8` -> 08 0a. AddressError for what is no prefix. */
export function encodePrefix(text: string): Buffer {
  const { family, value, length } = parsePrefix(text);
  const octets = Math.ceil(length / 8);
  const bytes = Buffer.alloc(1 + octets);
  bytes.writeUInt8(length, 0);
  let rest = value >> BigInt(WIDTH[family] - octets * 8);
  for (let at = octets; at > 0; at -= 1) {
    bytes.writeUInt8(Number(rest & 0xffn), at);
    rest >>= 8n;
  }
  return bytes;
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
