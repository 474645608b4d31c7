/** When a speaker is dead: one rule for all speakers, which then take over its addresses. Pure. */

/** How long a speaker's Lease holds, in milliseconds. */
export const SPEAKER_LEASE_MS = 4_000;

/**
 * Whether its Lease has run out. `renewedAt` is when the reader saw the last renewal, on the reader's own monotonic
 * clock: wall clocks of nodes differ.
 */
export const isSilent = (renewedAt: number, now: number, leaseMs = SPEAKER_LEASE_MS): boolean =>
  now - renewedAt > leaseMs;
