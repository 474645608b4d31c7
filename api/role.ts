/** What a BGP speaker is to its peer (RFC 9234 section 4.1), in the order of the numbers in the capability. */
export const ROLES = ["Provider", "RouteServer", "RouteServerClient", "Customer", "Peer"] as const;
export type Role = (typeof ROLES)[number];
