/** Which of two connections between the same two speakers stays (RFC 4271 section 6.8, RFC 6286). Pure. */
import type { SessionState } from "./types.ts";

export interface Speaker {
  /** Dotted quad. */
  readonly routerId: string;
  readonly asn: number;
}

/** A connection, made by us or by the peer. */
export interface Side {
  readonly isOurs: boolean;
  readonly machine: { readonly state: SessionState };
}

/** True if the connection stays on which the peer has just said OPEN, and not the other one. */
export function speakingStays(
  speaking: Side,
  other: Side,
  { own, peer }: { readonly own: Speaker; readonly peer: Speaker },
): boolean {
  if (other.machine.state === "Established") return false;
  // Two that the peer made: where it speaks it lives, the other one may be what a crash has left.
  if (speaking.isOurs === other.isOurs) return true;
  return speaking.isOurs === ownStays(own, peer);
}

/** True if the connection stays that `own` made; of equal identifiers the AS number decides. */
function ownStays(own: Speaker, peer: Speaker): boolean {
  const [ownId, peerId] = [numberOf(own.routerId), numberOf(peer.routerId)];
  return ownId === peerId ? own.asn > peer.asn : ownId > peerId;
}

function numberOf(quad: string): number {
  return quad.split(".").reduce((value, part) => value * 256 + Number(part), 0);
}
