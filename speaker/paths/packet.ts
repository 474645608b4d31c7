/**
 * What one node asks another one to see whether packets of full size and IPv6 multicast reach it, and the answers, which
 * every kernel gives by itself: ICMP echo (RFC 792, RFC 4443 section 4.1), and a neighbour solicitation that is sent to
 * the solicited-node group (RFC 4861 section 4.3). Pure.
 *
 *   echo:          type | code | checksum 2 | identifier 2 | sequence 2 | data
 *   solicitation:  type | code | checksum 2 | reserved 4 | target 16 | option 1: 1 | length/8 | hardware address
 */
import type { Family } from "#api/address.ts";
import { formatAddress } from "#speaker/netlink/bytes.ts";
import { internetChecksum } from "../checksum.ts";
import { IP_HEADER_BYTES } from "../ip-header.ts";

const ECHO = { IPv4: { request: 8, reply: 0 }, IPv6: { request: 128, reply: 129 } } as const;
export const ECHO_REPLY = { IPv4: ECHO.IPv4.reply, IPv6: ECHO.IPv6.reply } as const;
const SOLICITATION = 135;
export const ADVERTISEMENT = 136;
const ECHO_HEADER = 8;
const TARGET = 8;

/** Of an IP packet of `bytes` in all. The kernel fills in the checksum of ICMPv6 alone. */
export function encodeEcho(
  family: Family,
  { identifier, sequence, bytes }: { identifier: number; sequence: number; bytes: number },
): Buffer {
  const packet = Buffer.alloc(Math.max(bytes - IP_HEADER_BYTES[family], ECHO_HEADER));
  packet[0] = ECHO[family].request;
  packet.writeUInt16BE(identifier, 4);
  packet.writeUInt16BE(sequence, 6);
  if (family === "IPv4") packet.writeUInt16BE(internetChecksum(packet), 2);
  return packet;
}

/** As a raw socket gives it: with the IP header for IPv4, without it for IPv6. undefined for anything else. */
export function decodeEchoReply(family: Family, packet: Buffer, identifier: number): number | undefined {
  const at = family === "IPv4" ? IP_HEADER_BYTES.IPv4 : 0;
  if (packet.length < at + ECHO_HEADER || packet[at] !== ECHO_REPLY[family]) return undefined;
  return packet.readUInt16BE(at + 4) === identifier ? packet.readUInt16BE(at + 6) : undefined;
}

/** `target`: 16 bytes; `hardware`: the asking link's, 6 bytes. */
export function encodeSolicitation(target: Uint8Array, hardware: Uint8Array): Buffer {
  return Buffer.concat([
    Buffer.from([SOLICITATION, 0, 0, 0, 0, 0, 0, 0]),
    target,
    Buffer.from([1, 1]),
    hardware,
  ]);
}

/** The address that is advertised; undefined for anything else. */
export function decodeAdvertised(packet: Buffer): string | undefined {
  if (packet.length < TARGET + 16 || packet[0] !== ADVERTISEMENT) return undefined;
  return formatAddress(packet.subarray(TARGET, TARGET + 16));
}
