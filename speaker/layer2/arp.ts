/**
 * ARP for IPv4 over Ethernet (RFC 826; announcements: RFC 5227 section 3 and RFC 5944 section 4.6).
 *
 *   0      2      4  5  6   8            14         18           24         28
 *   +------+------+--+--+---+------------+----------+------------+----------+
 *   | hrd  | pro  |6 |4 |op | sender hw  | sender ip| target hw  | target ip|
 *   +------+------+--+--+---+------------+----------+------------+----------+
 *
 * Left out: every other hardware and protocol, and RARP.
 */
import { BROADCAST, decodeHeader, ETHER_TYPE, ETHERNET_HEADER, type Fault, frameFor } from "./frame.ts";

const HARDWARE_ETHERNET = 1;
const PROTOCOL_IPV4 = 0x0800;
const ARP_LENGTH = 28;
export const ARP_OPERATION = { request: 1, reply: 2 } as const;

const NO_HARDWARE_ADDRESS = new Uint8Array(6);
/** The sender address of a probe. */
export const NO_ADDRESS = new Uint8Array(4);

/** Hardware addresses 6 bytes, protocol addresses 4 bytes. */
export interface ArpPacket {
  readonly operation: number;
  readonly senderHardware: Uint8Array;
  readonly senderAddress: Uint8Array;
  readonly targetHardware: Uint8Array;
  readonly targetAddress: Uint8Array;
}

export interface ArpFrame {
  /** Ethernet addresses. */
  readonly destination: Uint8Array;
  readonly source: Uint8Array;
  readonly packet: ArpPacket;
}

/** The addresses of the result are views into `frame`. Trailing padding is ignored. */
export function decodeArp(frame: Uint8Array): ArpFrame | Fault {
  const header = decodeHeader(frame);
  if (typeof header === "string") return header;
  if (header.type !== ETHER_TYPE.arp) return "WrongType";
  const at = ETHERNET_HEADER;
  if (frame.length < at + ARP_LENGTH) return "TooShort";
  if (read16(frame, at) !== HARDWARE_ETHERNET || read16(frame, at + 2) !== PROTOCOL_IPV4)
    return "WrongHardware";
  if (frame[at + 4] !== 6 || frame[at + 5] !== 4) return "WrongLength";
  return {
    destination: header.destination,
    source: header.source,
    packet: {
      operation: read16(frame, at + 6),
      senderHardware: frame.subarray(at + 8, at + 14),
      senderAddress: frame.subarray(at + 14, at + 18),
      targetHardware: frame.subarray(at + 18, at + 24),
      targetAddress: frame.subarray(at + 24, at + 28),
    },
  };
}

/** The frame has 60 bytes, with padding. */
export function encodeArp({ destination, source, packet }: ArpFrame): Buffer {
  const frame = frameFor({ destination, source, type: ETHER_TYPE.arp }, ARP_LENGTH);
  const at = ETHERNET_HEADER;
  frame.writeUInt16BE(HARDWARE_ETHERNET, at);
  frame.writeUInt16BE(PROTOCOL_IPV4, at + 2);
  frame[at + 4] = 6;
  frame[at + 5] = 4;
  frame.writeUInt16BE(packet.operation, at + 6);
  frame.set(packet.senderHardware, at + 8);
  frame.set(packet.senderAddress, at + 14);
  frame.set(packet.targetHardware, at + 18);
  frame.set(packet.targetAddress, at + 24);
  return frame;
}

/**
 * RFC 826, "Packet Reception": the fields are swapped, our hardware address becomes the sender's, and the reply goes
 * straight back to the host that asked.
 */
export function arpReply(request: ArpPacket, hardware: Uint8Array): Buffer {
  return encodeArp({
    destination: request.senderHardware,
    source: hardware,
    packet: {
      operation: ARP_OPERATION.reply,
      senderHardware: hardware,
      senderAddress: request.targetAddress,
      targetHardware: request.senderHardware,
      targetAddress: request.senderAddress,
    },
  });
}

/**
 * Both forms of "this address is at this hardware address now", broadcast: some hosts learn from the request form
 * (RFC 5227 section 3: sender and target address the same, target hardware zero), some only from the reply form
 * (RFC 5944 section 4.6: target hardware the same as the sender's).
 */
export function gratuitousArp(
  address: Uint8Array,
  hardware: Uint8Array,
): readonly [request: Buffer, reply: Buffer] {
  const form = (operation: number, targetHardware: Uint8Array): Buffer =>
    encodeArp({
      destination: BROADCAST,
      source: hardware,
      packet: {
        operation,
        senderHardware: hardware,
        senderAddress: address,
        targetHardware,
        targetAddress: address,
      },
    });
  return [form(ARP_OPERATION.request, NO_HARDWARE_ADDRESS), form(ARP_OPERATION.reply, hardware)];
}

/** RFC 5227 section 2.1.1: asks whether anybody has the address, without teaching anybody anything. */
export function arpProbe(address: Uint8Array, hardware: Uint8Array): Buffer {
  return encodeArp({
    destination: BROADCAST,
    source: hardware,
    packet: {
      operation: ARP_OPERATION.request,
      senderHardware: hardware,
      senderAddress: NO_ADDRESS,
      targetHardware: NO_HARDWARE_ADDRESS,
      targetAddress: address,
    },
  });
}

function read16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}
