/** Pure: a frame and what is announced on its link -> the reply, or the reason for silence. */
import { addressKey } from "./address.ts";
import { ARP_OPERATION, type ArpFrame, type ArpPacket, arpReply, decodeArp, NO_ADDRESS } from "./arp.ts";
import { type Fault, isFault, isGroup, sameBytes } from "./frame.ts";
import {
  advertisementFor,
  decodeAdvertisement,
  decodeSolicitation,
  type NeighborSolicitation,
} from "./ndp.ts";

/**
 * Why no reply is sent. Conflict: another station uses one of our addresses. Yielded: the address is left to that
 * station.
 */
export type Silence = Fault | "Own" | "OtherHost" | "NotAnnounced" | "Conflict" | "Yielded";

export type Answer =
  | { readonly reply: Buffer; readonly silence?: undefined }
  | { readonly silence: Exclude<Silence, "Conflict">; readonly reply?: undefined }
  | Claim;

export interface Claim {
  readonly silence: "Conflict";
  /** The addressKey of the address. */
  readonly vip: string;
  /** The hardware address that it is claimed for. */
  readonly station: Uint8Array;
  /** The address that it asked for is another one of ours. */
  readonly reply?: Buffer | undefined;
}

/** What one link announces: addresses as addressKey makes them, and the hardware address that replies have. */
export interface LinkAnnouncements {
  readonly hardware: Uint8Array;
  readonly vips: { has(key: string): boolean };
  /** Those of `vips` for which no replies are sent at present. */
  readonly silent?: { has(key: string): boolean };
}

/**
 * Answers requests for announced addresses only, whether they were broadcast or sent to us alone (RFC 1122 2.3.2.1).
 * RFC 5227 section 2.4: a packet of any kind whose sender address is ours, from another hardware address, is a conflict.
 */
export function answerArp(frame: Uint8Array, link: LinkAnnouncements): Answer {
  const arp = decodeArp(frame);
  if (isFault(arp)) return { silence: arp };
  const { packet } = arp;
  const { request, reply } = ARP_OPERATION;
  if (packet.operation !== request && packet.operation !== reply) return { silence: "WrongOperation" };
  if (sameBytes(arp.source, link.hardware)) return { silence: "Own" };
  // A reply to a group address would teach a wrong neighbour to everybody who hears it.
  if (isGroup(packet.senderHardware)) return { silence: "WrongHardware" };
  const claim = claimOf(packet, link);
  if (claim === undefined) return answerRequest(arp, link);
  return sameBytes(packet.senderAddress, packet.targetAddress)
    ? claim
    : { ...claim, reply: answerRequest(arp, link).reply };
}

function answerRequest(arp: ArpFrame, link: LinkAnnouncements): Exclude<Answer, Claim> {
  const { packet } = arp;
  if (packet.operation === ARP_OPERATION.reply) return { silence: "WrongOperation" };
  if (!isGroup(arp.destination) && !sameBytes(arp.destination, link.hardware))
    return { silence: "OtherHost" };
  const vip = addressKey(packet.targetAddress);
  if (!link.vips.has(vip)) return { silence: "NotAnnounced" };
  return link.silent?.has(vip) ? { silence: "Yielded" } : { reply: arpReply(packet, link.hardware) };
}

function claimOf(packet: ArpPacket, link: LinkAnnouncements): Claim | undefined {
  const { senderHardware: station, senderAddress, targetAddress } = packet;
  if (sameBytes(station, link.hardware)) return undefined;
  const vip = addressKey(senderAddress);
  if (link.vips.has(vip)) return { silence: "Conflict", vip, station };
  // RFC 5227 section 2.1.1: who probes for what we are about to take back wants it, too.
  const wanted = addressKey(targetAddress);
  const isProbe = sameBytes(senderAddress, NO_ADDRESS) && packet.operation === ARP_OPERATION.request;
  return isProbe && link.silent?.has(wanted) ? { silence: "Conflict", vip: wanted, station } : undefined;
}

/** Answers solicitations for announced addresses, probes for them too: that defends them (RFC 4862 section 5.4.3). */
export function answerDiscovery(frame: Uint8Array, link: LinkAnnouncements): Answer {
  const asked = decodeSolicitation(frame);
  if (asked === "WrongOperation") return hearAdvertisement(frame, link);
  if (isFault(asked)) return { silence: asked };
  if (sameBytes(asked.hardware, link.hardware)) return { silence: "Own" };
  const station = asked.sourceLinkLayer ?? asked.hardware;
  if (isGroup(station)) return { silence: "WrongHardware" };
  const claimed = claimedBy(asked, link);
  if (claimed === undefined) return answerSolicitation(asked, link);
  const claim: Claim = { silence: "Conflict", vip: claimed, station };
  return sameBytes(asked.source, asked.target)
    ? claim
    : { ...claim, reply: answerSolicitation(asked, link).reply };
}

function answerSolicitation(asked: NeighborSolicitation, link: LinkAnnouncements): Exclude<Answer, Claim> {
  const vip = addressKey(asked.target);
  if (!link.vips.has(vip)) return { silence: "NotAnnounced" };
  return link.silent?.has(vip) ? { silence: "Yielded" } : { reply: advertisementFor(asked, link.hardware) };
}

/** Who asks from an address says that it is its own; who probes for one that we yielded wants it. */
function claimedBy({ source, target, isProbe }: NeighborSolicitation, link: LinkAnnouncements) {
  const vip = addressKey(isProbe ? target : source);
  return (isProbe ? link.silent : link.vips)?.has(vip) ? vip : undefined;
}

/** Nobody is asked by an advertisement, but it may be for an address that is announced here. */
function hearAdvertisement(frame: Uint8Array, link: LinkAnnouncements): Answer {
  const heard = decodeAdvertisement(frame);
  if (isFault(heard)) return { silence: heard };
  if (sameBytes(heard.hardware, link.hardware)) return { silence: "Own" };
  const vip = addressKey(heard.target);
  return link.vips.has(vip) ? { silence: "Conflict", vip, station: heard.told } : { silence: "NotAnnounced" };
}
