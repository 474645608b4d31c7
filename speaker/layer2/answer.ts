/** Pure: a frame and what is announced on its link -> the reply, or the reason for silence. */
import { addressKey } from "./address.ts";
import { ARP_OPERATION, arpReply, decodeArp } from "./arp.ts";
import { type Fault, isFault, isGroup, sameBytes } from "./frame.ts";
import { advertisementFor, decodeAdvertisement, decodeSolicitation } from "./ndp.ts";

/** Why no reply is sent. Conflict: another station announces one of our addresses as its own. */
export type Silence = Fault | "Own" | "OtherHost" | "NotAnnounced" | "Conflict";

export type Answer =
  | { readonly reply: Buffer; readonly silence?: undefined }
  | { readonly silence: Exclude<Silence, "Conflict">; readonly reply?: undefined }
  /** `station`: its hardware address. */
  | {
      readonly silence: "Conflict";
      readonly vip: string;
      readonly station: Uint8Array;
      readonly reply?: undefined;
    };

/** What one link announces: keys of addressKey, and the hardware address to tell. */
export interface LinkAnnouncements {
  readonly hardware: Uint8Array;
  readonly vips: { has(key: string): boolean };
}

/** Answers requests for announced addresses only, whether they were broadcast or sent to us alone (RFC 1122 2.3.2.1). */
export function answerArp(frame: Uint8Array, link: LinkAnnouncements): Answer {
  const arp = decodeArp(frame);
  if (isFault(arp)) return { silence: arp };
  const { packet } = arp;
  if (packet.operation !== ARP_OPERATION.request) return { silence: "WrongOperation" };
  if (sameBytes(arp.source, link.hardware)) return { silence: "Own" };
  if (!isGroup(arp.destination) && !sameBytes(arp.destination, link.hardware))
    return { silence: "OtherHost" };
  const vip = addressKey(packet.targetAddress);
  if (!link.vips.has(vip)) return { silence: "NotAnnounced" };
  // RFC 5227 section 2.4: a packet whose sender address is ours, from another hardware address.
  if (sameBytes(packet.senderAddress, packet.targetAddress))
    return { silence: "Conflict", vip, station: arp.source };
  // A reply to a group address would teach a wrong neighbour to everybody who hears it.
  if (isGroup(packet.senderHardware)) return { silence: "WrongHardware" };
  return { reply: arpReply(packet, link.hardware) };
}

/** Answers solicitations for announced addresses, probes for them too. */
export function answerDiscovery(frame: Uint8Array, link: LinkAnnouncements): Answer {
  const asked = decodeSolicitation(frame);
  if (asked === "WrongOperation") return hearAdvertisement(frame, link);
  if (isFault(asked)) return { silence: asked };
  if (sameBytes(asked.hardware, link.hardware)) return { silence: "Own" };
  if (!link.vips.has(addressKey(asked.target))) return { silence: "NotAnnounced" };
  if (isGroup(asked.sourceLinkLayer ?? asked.hardware)) return { silence: "WrongHardware" };
  return { reply: advertisementFor(asked, link.hardware) };
}

/** Nobody is asked by an advertisement, but it may be for an address that is announced here. */
function hearAdvertisement(frame: Uint8Array, link: LinkAnnouncements): Answer {
  const told = decodeAdvertisement(frame);
  if (isFault(told)) return { silence: told };
  if (sameBytes(told.hardware, link.hardware)) return { silence: "Own" };
  const vip = addressKey(told.target);
  return link.vips.has(vip)
    ? { silence: "Conflict", vip, station: told.hardware }
    : { silence: "NotAnnounced" };
}
