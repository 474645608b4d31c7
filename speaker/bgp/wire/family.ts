/** Address families on the wire (RFC 4760): unicast only. */
import type { Family } from "#api/address.ts";

export const AFI: Readonly<Record<Family, number>> = { IPv4: 1, IPv6: 2 };
export const SAFI_UNICAST = 1;

/** undefined for what we do not speak. */
export function familyOfAfi(afi: number, safi: number): Family | undefined {
  if (safi !== SAFI_UNICAST) return undefined;
  if (afi === AFI.IPv4) return "IPv4";
  return afi === AFI.IPv6 ? "IPv6" : undefined;
}
