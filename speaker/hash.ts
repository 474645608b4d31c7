/** Hashes of short texts that are the same on every node. Nobody is kept from finding two texts with the same one. Pure. */

export const FNV_START = 0x811c9dc5;

/** FNV-1a over UTF-16 units. `from` is the hash of the text before. */
export function walked(from: number, text: string): number {
  let value = from;
  for (let at = 0; at < text.length; at += 1) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193);
  return value;
}

/** MurmurHash3's finalizer: FNV alone leaves similar texts with similar hashes. 32 bits without a sign. */
export function finished(walked: number): number {
  let value = Math.imul(walked ^ (walked >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return (value ^ (value >>> 16)) >>> 0;
}
