/** When a speaker is dead: one rule for all speakers, which then take over its addresses. Pure. */

/** How long a speaker's Lease holds in a cluster of up to a hundred nodes, in milliseconds. */
export const SPEAKER_LEASE_MS = 4_000;

/** So many renewals a second the API server sees of all nodes together, before they are renewed less often. */
const MOST_RENEWALS = 100;
const SLOWEST = 10;

/**
 * By how much slower than each second Leases are renewed where so many speakers have one, and judged: with a thousand and
 * more each node writes every 10 s. Deaths are noticed by gossip; the Lease of a node that gossip does not hear runs out
 * that much later.
 */
export const paceOf = (speakers: number): number => Math.min(SLOWEST, Math.max(1, speakers / MOST_RENEWALS));

/**
 * Whether its Lease has run out. `renewedAt` is when the reader saw the last renewal, on the reader's own monotonic
 * clock: wall clocks of nodes differ.
 */
export const isSilent = (renewedAt: number, now: number, leaseMs = SPEAKER_LEASE_MS): boolean =>
  now - renewedAt > leaseMs;
