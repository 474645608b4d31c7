/**
 * Neighbor Discovery for IPv6 over Ethernet: solicitations in, advertisements out (RFC 4861 sections 4.3, 4.4, 7).
 *
 *   Ethernet 14 | IPv6 40: ver.. | length | next 58 | hop 255 | source 16 | destination 16
 *   ICMPv6:  0    1    2        4                8           24
 *            +----+----+--------+----------------+-----------+--------------------------
 *            |type|code|checksum| R S O reserved |  target   | options: type, length/8, ..
 *            +----+----+--------+----------------+-----------+--------------------------
 *
 * Left out: extension headers before ICMPv6 (RFC 6980 wants none), secured ND, redirects and routers' messages.
 */
import { internetChecksum } from "../checksum.ts";
import { decodeHeader, ETHER_TYPE, ETHERNET_HEADER, type Fault, frameFor } from "./frame.ts";

const IPV6_HEADER = 40;
const NEXT_HEADER_ICMPV6 = 58;
/** RFC 4861 section 7.1.1: less than 255 came through a router and is not from this link. */
export const HOP_LIMIT = 255;
const ND_TYPE = { solicitation: 135, advertisement: 136 } as const;
const ND_FIXED = 24;
const OPTION = { sourceLinkLayer: 1, targetLinkLayer: 2 } as const;
const FLAG = { solicited: 0x40, override: 0x20 } as const;

const UNSPECIFIED = new Uint8Array(16);
const ALL_NODES = Uint8Array.of(0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);
/** RFC 2464 section 7. */
const ALL_NODES_HARDWARE = Uint8Array.of(0x33, 0x33, 0, 0, 0, 1);
/** ff02::1:ff00:0/104 (RFC 4291 section 2.7.1). */
const SOLICITED_NODE = Uint8Array.of(0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff);

/** The group that questions for `address` go to (RFC 4291 section 2.7.1); both 16 bytes. */
export function solicitedNode(address: Uint8Array): Uint8Array {
  const group = new Uint8Array(16);
  group.set(SOLICITED_NODE);
  group.set(address.subarray(SOLICITED_NODE.length), SOLICITED_NODE.length);
  return group;
}

export interface NeighborSolicitation {
  /**
   * The hardware address of the host that asked, as in the Ethernet header. If there is a source link-layer option, the
   * answer goes to that one.
   */
  readonly hardware: Uint8Array;
  readonly sourceLinkLayer: Uint8Array | undefined;
  /** IPv6 addresses, 16 bytes. */
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  readonly target: Uint8Array;
  /** The source is `::`: a host probes whether the address is free (RFC 4862 section 5.4.2). */
  readonly isProbe: boolean;
}

export interface Message {
  readonly hardware: Uint8Array;
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  /** The message from the ICMPv6 type on. */
  readonly message: Uint8Array;
}

/** Checks everything that RFC 4861 section 7.1.1 asks for. Results are views into `frame`. */
export function decodeSolicitation(frame: Uint8Array): NeighborSolicitation | Fault {
  const parts = decodeMessage(frame, ND_TYPE.solicitation);
  return typeof parts === "string" ? parts : fieldsOf(parts);
}

/**
 * Reads an advertisement. `hardware` is the sender's address in the Ethernet header, `told` is that of the option if
 * there is one. Checks what RFC 4861 section 7.1.2 asks for.
 */
export function decodeAdvertisement(frame: Uint8Array):
  | {
      readonly hardware: Uint8Array;
      readonly told: Uint8Array;
      readonly target: Uint8Array;
    }
  | Fault {
  const parts = decodeMessage(frame, ND_TYPE.advertisement);
  if (typeof parts === "string") return parts;
  const { hardware, destination, message } = parts;
  const target = message.subarray(8, 24);
  if (target[0] === 0xff) return "WrongTarget";
  if (destination[0] === 0xff && ((message[4] ?? 0) & FLAG.solicited) !== 0) return "WrongDestination";
  const told = linkLayerOption(message.subarray(ND_FIXED), OPTION.targetLinkLayer);
  if (told === "WrongOption") return "WrongOption";
  return { hardware, told: told ?? hardware, target };
}

function decodeMessage(frame: Uint8Array, type: number): Message | Fault {
  const header = decodeHeader(frame);
  if (typeof header === "string") return header;
  if (header.type !== ETHER_TYPE.ipv6) return "WrongType";
  const packet = frame.subarray(ETHERNET_HEADER);
  if (packet.length < IPV6_HEADER + ND_FIXED) return "TooShort";
  if ((packet[0] ?? 0) >> 4 !== 6 || packet[6] !== NEXT_HEADER_ICMPV6) return "WrongType";
  if (packet[7] !== HOP_LIMIT) return "WrongHopLimit";
  const length = ((packet[4] ?? 0) << 8) | (packet[5] ?? 0);
  if (length < ND_FIXED || IPV6_HEADER + length > packet.length) return "WrongLength";
  const message = packet.subarray(IPV6_HEADER, IPV6_HEADER + length);
  if (message[0] !== type || message[1] !== 0) return "WrongOperation";
  const source = packet.subarray(8, 24);
  const destination = packet.subarray(24, 40);
  if (checksum(source, destination, message) !== 0) return "WrongChecksum";
  return { hardware: header.source, source, destination, message };
}

function fieldsOf(parts: Message): NeighborSolicitation | Fault {
  const { hardware, source, destination, message } = parts;
  const target = message.subarray(8, 24);
  if (target[0] === 0xff) return "WrongTarget";
  const isProbe = source.every((byte) => byte === 0);
  const sourceLinkLayer = linkLayerOption(message.subarray(ND_FIXED), OPTION.sourceLinkLayer);
  if (sourceLinkLayer === "WrongOption") return "WrongOption";
  // RFC 4861 section 7.1.1: a probe goes to a solicited-node address and carries no link-layer address.
  if (isProbe && !SOLICITED_NODE.every((byte, at) => destination[at] === byte)) return "WrongDestination";
  if (isProbe && sourceLinkLayer !== undefined) return "WrongOption";
  return { hardware, sourceLinkLayer, source, destination, target, isProbe };
}

/** A link-layer address; every option must have a length, those of other types are skipped. */
function linkLayerOption(options: Uint8Array, type: number): Uint8Array | undefined | "WrongOption" {
  let found: Uint8Array | undefined;
  for (let at = 0; at < options.length; ) {
    const length = (options[at + 1] ?? 0) * 8;
    if (length === 0 || at + length > options.length) return "WrongOption";
    if (options[at] === type && length === 8) found = options.subarray(at + 2, at + 8);
    at += length;
  }
  return found;
}

export interface NeighborAdvertisement {
  /** Ethernet destination. */
  readonly to: Uint8Array;
  /** Ethernet source, and the target link-layer address told. */
  readonly hardware: Uint8Array;
  readonly destination: Uint8Array;
  /** The address advertised; it is the IPv6 source too. */
  readonly target: Uint8Array;
  readonly isSolicited: boolean;
}

/** 86 bytes. The override flag is always set: neighbours replace what they know (RFC 4861 section 7.2.5). */
function encodeAdvertisement(advertisement: NeighborAdvertisement): Buffer {
  const { to, hardware, destination, target, isSolicited } = advertisement;
  const message = Buffer.alloc(ND_FIXED + 8);
  message[0] = ND_TYPE.advertisement;
  message[4] = FLAG.override | (isSolicited ? FLAG.solicited : 0);
  message.set(target, 8);
  message[24] = OPTION.targetLinkLayer;
  message[25] = 1;
  message.set(hardware, 26);
  return encodeMessage({ to, hardware, source: target, destination, message });
}

/** A frame of it, with the checksum filled in; `to` is the Ethernet destination. */
export function encodeMessage(parts: Message & { readonly to: Uint8Array }): Buffer {
  const { to, hardware, source, destination, message } = parts;
  const { length } = message;
  const frame = frameFor({ destination: to, source: hardware, type: ETHER_TYPE.ipv6 }, IPV6_HEADER + length);
  const packet = frame.subarray(ETHERNET_HEADER);
  packet[0] = 0x60;
  packet.writeUInt16BE(length, 4);
  packet[6] = NEXT_HEADER_ICMPV6;
  packet[7] = HOP_LIMIT;
  packet.set(source, 8);
  packet.set(destination, 24);
  packet.set(message, IPV6_HEADER);
  packet.writeUInt16BE(checksum(source, destination, message), IPV6_HEADER + 2);
  return frame;
}

/** RFC 4862 section 5.4.2: asks whether anybody has the address, from `::`. 78 bytes. */
export function probeSolicitation(target: Uint8Array, hardware: Uint8Array): Buffer {
  const destination = solicitedNode(target);
  const message = Buffer.alloc(ND_FIXED);
  message[0] = ND_TYPE.solicitation;
  message.set(target, 8);
  // RFC 2464 section 7.
  const to = Uint8Array.of(0x33, 0x33, ...destination.subarray(12));
  return encodeMessage({ to, hardware, source: UNSPECIFIED, destination, message });
}

/** RFC 4861 section 7.2.4: to the asker, solicited; a probe's answer goes to all nodes, not solicited. */
export function advertisementFor(asked: NeighborSolicitation, hardware: Uint8Array): Buffer {
  return encodeAdvertisement({
    to: asked.isProbe ? ALL_NODES_HARDWARE : (asked.sourceLinkLayer ?? asked.hardware),
    hardware,
    destination: asked.isProbe ? ALL_NODES : asked.source,
    target: asked.target,
    isSolicited: !asked.isProbe,
  });
}

/** RFC 4861 section 7.2.6: tells everybody on the link that the address moved here. */
export function unsolicitedAdvertisement(target: Uint8Array, hardware: Uint8Array): Buffer {
  return encodeAdvertisement({
    to: ALL_NODES_HARDWARE,
    hardware,
    destination: ALL_NODES,
    target,
    isSolicited: false,
  });
}

/**
 * Internet checksum over the pseudo-header and the message (RFC 4443 section 2.3, RFC 8200 section 8.1).
 * Over a message whose checksum field is filled in correctly it is 0.
 */
export function checksum(source: Uint8Array, destination: Uint8Array, message: Uint8Array): number {
  const end = Uint8Array.of(message.length >> 8, message.length & 0xff, 0, NEXT_HEADER_ICMPV6);
  return internetChecksum(source, destination, end, message);
}
