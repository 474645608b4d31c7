/** Addresses as the bytes that frames carry. */
import { parseAddress } from "#api/address.ts";

/** 4 or 16 bytes, network order; undefined if `text` is no address. */
export function addressBytes(text: string): Uint8Array | undefined {
  const address = parseAddress(text);
  if (address === undefined) return undefined;
  const bytes = new Uint8Array(address.family === "IPv4" ? 4 : 16);
  let rest = address.value;
  for (let at = bytes.length - 1; at >= 0; at -= 1) {
    bytes[at] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  return bytes;
}

/** The bytes of an address (4 or 16) as a short text for sets and maps. */
export function addressKey(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}
