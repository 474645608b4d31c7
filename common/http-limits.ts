/** How long strangers may take, for every server of ours: one that waits for ever is locked by who never ends. */

export const SERVER_TIMES = {
  /** For the handshake, for the header, and for all of a request: who has a question asks it within one second. */
  handshakeTimeout: 5_000,
  headersTimeout: 5_000,
  requestTimeout: 10_000,
  /** How late the others may be noticed; node's default is 30 s. */
  connectionsCheckingInterval: 1_000,
} as const;

/** Without a byte in either direction, while something is asked or answered: of an answer that nobody reads, too. */
export const SILENCE_MS = 15_000;
