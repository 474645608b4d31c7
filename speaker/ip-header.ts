/** Bytes of an IP header without options (RFC 791 section 3.1) or extensions (RFC 8200 section 3). */
export const IP_HEADER_BYTES = { IPv4: 20, IPv6: 40 } as const;
