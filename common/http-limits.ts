/**
 * Time limits for the clients of all our servers. Without them clients that never finish would use up all connections.
 */

export const SERVER_TIMES = {
  /** For the handshake, for the header, and for a whole request. An honest client needs less than a second. */
  handshakeTimeout: 5_000,
  headersTimeout: 5_000,
  requestTimeout: 10_000,
  /** How late the others may be noticed; node's default is 30 s. */
  connectionsCheckingInterval: 1_000,
} as const;

/** Without a byte in either direction, while something is asked or answered: of an answer that nobody reads, too. */
export const SILENCE_MS = 15_000;
