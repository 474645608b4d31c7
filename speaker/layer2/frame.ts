/**
 * Ethernet II frames (RFC 894, RFC 2464), untagged: sockets of a link hand over frames without VLAN tags.
 *
 *   0           6           12      14
 *   +-----------+-----------+-------+---------
 *   |destination|  source   | type  | payload
 *   +-----------+-----------+-------+---------
 */

export const ETHER_TYPE = { arp: 0x0806, ipv6: 0x86dd } as const;
export const ETHERNET_HEADER = 14;
/** Without the frame check sequence; shorter payloads are padded with zeros. */
const MINIMUM_FRAME = 60;

export const BROADCAST: Uint8Array = Uint8Array.of(255, 255, 255, 255, 255, 255);

/** Why bytes are no packet of the wanted kind. */
export type Fault =
  | "TooShort"
  | "WrongType"
  | "WrongHardware"
  | "WrongLength"
  | "WrongOperation"
  | "WrongHopLimit"
  | "WrongChecksum"
  | "WrongOption"
  | "WrongTarget"
  | "WrongDestination";

export function isFault<T extends object>(value: T | Fault): value is Fault {
  return typeof value === "string";
}

export interface EthernetHeader {
  /** 6 bytes each. */
  readonly destination: Uint8Array;
  readonly source: Uint8Array;
  readonly type: number;
}

/** The header alone; its addresses are views into `frame`. */
export function decodeHeader(frame: Uint8Array): EthernetHeader | Fault {
  if (frame.length < ETHERNET_HEADER) return "TooShort";
  return {
    destination: frame.subarray(0, 6),
    source: frame.subarray(6, 12),
    type: ((frame[12] ?? 0) << 8) | (frame[13] ?? 0),
  };
}

/** A zeroed frame for `payloadLength` bytes with its header written; the payload starts at ETHERNET_HEADER. */
export function frameFor(header: EthernetHeader, payloadLength: number): Buffer {
  const frame = Buffer.alloc(Math.max(MINIMUM_FRAME, ETHERNET_HEADER + payloadLength));
  frame.set(header.destination, 0);
  frame.set(header.source, 6);
  frame.writeUInt16BE(header.type, 12);
  return frame;
}

/** The I/G bit: broadcast is a group too. */
export function isGroup(hardware: Uint8Array): boolean {
  return ((hardware[0] ?? 0) & 1) === 1;
}

export function sameBytes(left: Uint8Array, right: Uint8Array): boolean {
  return Buffer.compare(left, right) === 0;
}

/** `02:00:00:00:00:01` -> 6 bytes; undefined for anything else. */
export function parseHardwareAddress(text: string): Uint8Array | undefined {
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(text)) return undefined;
  return Uint8Array.from(text.split(":"), (part) => Number.parseInt(part, 16));
}
