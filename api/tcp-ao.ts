/** How a connection is signed by TCP-AO (RFC 5925): the names of RFC 5926 section 3. */

export const AO_ALGORITHMS = ["HMAC-SHA-1-96", "AES-128-CMAC-96"] as const;

export type AoAlgorithm = (typeof AO_ALGORITHMS)[number];

/** A master key tuple without its key (RFC 5925 section 3.1). */
export interface TcpAo {
  /** 0 to 255: what our segments say, and the other end's receiveId. */
  readonly sendId: number;
  readonly receiveId: number;
  readonly algorithm: AoAlgorithm;
}
