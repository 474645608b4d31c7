/** Packets as octets, with the checksums that the kernel asks for before it answers. Families by the addresses. */
import { internetChecksum } from "#speaker/checksum.ts";
import { parseAddress } from "#speaker/netlink/bytes.ts";

const NEXT = { tcp: 6, udp: 17, ipip: 4, ipv6: 41, gre: 47, icmp: 1, icmpv6: 58 } as const;
const isSix = (address: string): boolean => address.includes(":");

/** An IP packet round a payload. */
export function packetOf(source: string, target: string, protocol: number, payload: Buffer): Buffer {
  const addresses = [parseAddress(source), parseAddress(target)];
  if (isSix(target)) {
    const header = Buffer.alloc(8);
    header.writeUInt8(0x60, 0);
    header.writeUInt16BE(payload.length, 4);
    header.writeUInt8(protocol, 6);
    header.writeUInt8(64, 7);
    return Buffer.concat([header, ...addresses, payload]);
  }
  const header = Buffer.alloc(12);
  header.writeUInt8(0x45, 0);
  header.writeUInt16BE(20 + payload.length, 2);
  header.writeUInt8(64, 8);
  header.writeUInt8(protocol, 9);
  header.writeUInt16BE(internetChecksum(header, ...addresses), 10);
  return Buffer.concat([header, ...addresses, payload]);
}

/** With the checksum over addresses and payload at an offset (RFC 9293 section 3.1, RFC 8200 section 8.1). */
function summed(source: string, target: string, protocol: number, payload: Buffer, at: number): Buffer {
  const pseudo = Buffer.alloc(4);
  pseudo.writeUInt8(protocol, 1);
  pseudo.writeUInt16BE(payload.length, 2);
  payload.writeUInt16BE(internetChecksum(parseAddress(source), parseAddress(target), pseudo, payload), at);
  return packetOf(source, target, protocol, payload);
}

export const syn = (source: string, target: string, port: number, from = 40_000): Buffer =>
  segment(source, target, [from, port], 0x02);

/** In the middle of a connection. */
export const ack = (source: string, target: string, port: number): Buffer =>
  segment(source, target, [40_000, port], 0x10);

function segment(source: string, target: string, [from, port]: [number, number], flags: number): Buffer {
  const bytes = Buffer.alloc(20);
  bytes.writeUInt16BE(from, 0);
  bytes.writeUInt16BE(port, 2);
  bytes.writeUInt16BE(0x5000 | flags, 12);
  return summed(source, target, NEXT.tcp, bytes, 16);
}

export function datagram(source: string, target: string, port: number): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.writeUInt16BE(40_000, 0);
  bytes.writeUInt16BE(port, 2);
  bytes.writeUInt16BE(bytes.length, 4);
  return summed(source, target, NEXT.udp, bytes, 6);
}

/** ICMP of a type and code; `rest`: what follows the checksum. */
function icmp(source: string, target: string, kind: readonly [number, number], rest: Buffer): Buffer {
  const bytes = Buffer.concat([Buffer.from([...kind, 0, 0]), rest]);
  if (isSix(target)) return summed(source, target, NEXT.icmpv6, bytes, 2);
  bytes.writeUInt16BE(internetChecksum(bytes), 2);
  return packetOf(source, target, NEXT.icmp, bytes);
}

export const ping = (source: string, target: string): Buffer =>
  icmp(source, target, isSix(target) ? [128, 0] : [8, 0], Buffer.alloc(8, 1));

/** "Fragmentation needed" or "packet too big" about a packet that `target` has sent. */
export const tooBig = (source: string, target: string, about: Buffer): Buffer =>
  icmp(
    source,
    target,
    isSix(target) ? [2, 0] : [3, 4],
    Buffer.concat([Buffer.from([0, 0, 5, 0]), about.subarray(0, 80)]),
  );

/** A packet as the payload of another, of either family. */
export function tunnelled(source: string, target: string, packet: Buffer): Buffer {
  return packetOf(source, target, packet.readUInt8(0) >>> 4 === 6 ? NEXT.ipv6 : NEXT.ipip, packet);
}

/** The same by GRE (RFC 2784), without a checksum and a key. */
export function inGre(source: string, target: string, packet: Buffer): Buffer {
  const header = Buffer.alloc(4);
  header.writeUInt16BE(packet.readUInt8(0) >>> 4 === 6 ? 0x86dd : 0x0800, 2);
  return packetOf(source, target, NEXT.gre, Buffer.concat([header, packet]));
}

/** The same by GUE, version 0, to a UDP port. */
export function inGue(source: string, target: string, packet: Buffer, port: number): Buffer {
  const header = Buffer.alloc(12);
  header.writeUInt16BE(50_000, 0);
  header.writeUInt16BE(port, 2);
  header.writeUInt16BE(header.length + packet.length, 4);
  header.writeUInt8(packet.readUInt8(0) >>> 4 === 6 ? NEXT.ipv6 : NEXT.ipip, 9);
  return summed(source, target, NEXT.udp, Buffer.concat([header, packet]), 6);
}
