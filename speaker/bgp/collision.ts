/** Which of two connections between the same two speakers stays (RFC 4271 section 6.8, RFC 6286). Pure. */

export interface Speaker {
  /** Dotted quad. */
  readonly routerId: string;
  readonly asn: number;
}

/** True if the connection stays that `own` made; of equal identifiers the AS number decides. */
export function ownStays(own: Speaker, peer: Speaker): boolean {
  const [ownId, peerId] = [numberOf(own.routerId), numberOf(peer.routerId)];
  return ownId === peerId ? own.asn > peer.asn : ownId > peerId;
}

function numberOf(quad: string): number {
  return quad.split(".").reduce((value, part) => value * 256 + Number(part), 0);
}
