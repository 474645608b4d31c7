/** Whether nodes share their connections where spec.forwarding.connectionSync is not set. */

/**
 * By no tunnel a packet does not say for which pod it is, and nodes that choose twice do not agree (docs/dataplane.md).
 * `tunnel`: spec.forwarding.tunnel.
 */
export const sharesByDefault = (tunnel: unknown): boolean => tunnel !== "none";
