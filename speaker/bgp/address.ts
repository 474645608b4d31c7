/** Addresses of peers: people write them in many ways, the kernel in one. Pure. */
import { isIP } from "node:net";
import { formatAddress, parseAddress } from "#speaker/netlink/bytes.ts";

/** ::ffff:0:0/96 (RFC 4291 section 2.5.5.2). */
const MAPPED = Buffer.from("00000000000000000000ffff", "hex");

/** As the kernel names whoever connects: `FD00::0001` is `fd00::1`, `::ffff:a00:1` is `10.0.0.1`. */
export function canonicalAddress(text: string): string {
  if (isIP(text) === 0 || text.includes("%")) return text;
  const bytes = parseAddress(text);
  const isMapped = bytes.length === 16 && bytes.subarray(0, 12).equals(MAPPED);
  return formatAddress(isMapped ? bytes.subarray(12) : bytes);
}
