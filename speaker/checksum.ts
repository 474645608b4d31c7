/**
 * The Internet checksum (RFC 1071): the complement of the one's complement sum of 16-bit words, over all parts in their
 * order. A part of odd length counts as if a zero followed, so only the last one may be odd. Over what has its checksum
 * filled in correctly it is 0.
 */
export function internetChecksum(...parts: readonly Uint8Array[]): number {
  let sum = 0;
  for (const part of parts) {
    for (let at = 0; at < part.length; at += 2) sum += ((part[at] ?? 0) << 8) | (part[at + 1] ?? 0);
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
