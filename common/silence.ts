/**
 * When a speaker is dead: one rule for the other speakers, which then take over its addresses, and for the operator,
 * which then no longer waits for its word. Pure.
 */

/** How long a speaker's Lease holds, in milliseconds. */
export const SPEAKER_LEASE_MS = 4_000;

/**
 * Whether its Lease has run out. `renewedAt` is when the reader saw the last renewal, on the reader's own monotonic
 * clock: wall clocks of nodes differ.
 */
export const isSilent = (renewedAt: number, now: number, leaseMs = SPEAKER_LEASE_MS): boolean =>
  now - renewedAt > leaseMs;
