/** Graceful shutdown (RFC 8326): routes that say that they go away, before they do. Pure. */
import type { Advertisement } from "./types.ts";

export const GRACEFUL_SHUTDOWN = 0xffff0000;

/** eBGP peers go by the community, iBGP peers by the preference. */
export function asGoing(advertisements: readonly Advertisement[]): Advertisement[] {
  return advertisements.map((one) => ({
    ...one,
    communities: [...new Set([...one.communities, GRACEFUL_SHUTDOWN])],
    localPref: 0,
  }));
}
