/**
 * Our echo packets: IPv4 and UDP headers (RFC 791, RFC 768), then what only we have to understand (RFC 5880 section 5): a
 * mark and the session's discriminator.
 */
import { internetChecksum } from "../checksum.ts";

const IP_BYTES = 20;
const UDP_BYTES = 8;
const MARK = Buffer.from("genkan\0\0");
const PAYLOAD_BYTES = MARK.length + 4;
const ECHO_BYTES = IP_BYTES + UDP_BYTES + PAYLOAD_BYTES;
const ECHO_PORT = 3785;
const UDP = 17;

/** A whole IPv4 packet from `address` (4 bytes) to itself. UDP over IPv4 may go without a checksum, and does. */
export function encodeEcho(address: Buffer, discriminator: number): Buffer {
  const packet = Buffer.alloc(ECHO_BYTES);
  packet[0] = 0x45;
  packet[1] = 0xc0;
  packet.writeUInt16BE(ECHO_BYTES, 2);
  // RFC 5881 section 5: 255, so that the peer's forwarding is one hop and no more.
  packet[8] = 255;
  packet[9] = UDP;
  address.copy(packet, 12);
  address.copy(packet, 16);
  packet.writeUInt16BE(internetChecksum(packet.subarray(0, IP_BYTES)), 10);
  packet.writeUInt16BE(ECHO_PORT, IP_BYTES);
  packet.writeUInt16BE(ECHO_PORT, IP_BYTES + 2);
  packet.writeUInt16BE(UDP_BYTES + PAYLOAD_BYTES, IP_BYTES + 4);
  MARK.copy(packet, IP_BYTES + UDP_BYTES);
  packet.writeUInt32BE(discriminator, IP_BYTES + UDP_BYTES + MARK.length);
  return packet;
}

/** The discriminator of a packet from `address` to itself that bears our mark; undefined: not ours. */
export function readEcho(packet: Buffer, address: Buffer): number | undefined {
  if (packet.length < ECHO_BYTES || packet[0] !== 0x45 || packet[9] !== UDP) return undefined;
  if (packet.compare(address, 0, 4, 12, 16) !== 0 || packet.compare(address, 0, 4, 16, 20) !== 0)
    return undefined;
  const start = IP_BYTES + UDP_BYTES;
  if (packet.compare(MARK, 0, MARK.length, start, start + MARK.length) !== 0) return undefined;
  return packet.readUInt32BE(start + MARK.length);
}
