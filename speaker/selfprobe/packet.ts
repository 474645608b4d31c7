/**
 * What speakers send each other to see whether a firewall lets tunnels through: UDP in IP in IP, from node address to
 * node address outside and inside, to PORT.probe. Two kinds: an ordinary one, and one whose UDP length is wrong, which
 * connection tracking calls invalid, as it does with a flow of which it sees one direction only. Pure.
 */
import type { Family } from "#api/address.ts";
import { PORT } from "#api/names.ts";
import { formatAddress, parseAddress } from "#speaker/netlink/bytes.ts";
import { internetChecksum } from "../checksum.ts";
import { IP_HEADER_BYTES } from "../ip-header.ts";

export type ProbeKind = "ordinary" | "invalid";
export const KINDS: readonly ProbeKind[] = ["ordinary", "invalid"];

export interface Probe {
  readonly family: Family;
  /** Node address of the sender, canonical text. */
  readonly from: string;
  readonly kind: ProbeKind;
  /** Counts up with every round; 32 bits. */
  readonly sequence: number;
}

const MAGIC = 0x474b5042;
const UDP = 17;
const TTL = 64;
const UDP_BYTES = 8;
/** Magic, kind, sequence. */
const PAYLOAD_BYTES = 9;
/** Shorter than its own header. */
const WRONG_LENGTH = 4;

/** The inner packet, with its IP header. */
export function encodeProbe(probe: Probe, to: string): Buffer {
  const udp = udpOf(probe);
  const [source, destination] = [parseAddress(probe.from), parseAddress(to)];
  if (probe.family === "IPv4") {
    const header = Buffer.alloc(IP_HEADER_BYTES.IPv4);
    header[0] = 0x45;
    header.writeUInt16BE(header.length + udp.length, 2);
    header[8] = TTL;
    header[9] = UDP;
    source.copy(header, 12);
    destination.copy(header, 16);
    header.writeUInt16BE(internetChecksum(header), 10);
    return Buffer.concat([header, udp]);
  }
  const header = Buffer.alloc(IP_HEADER_BYTES.IPv6);
  header[0] = 0x60;
  header.writeUInt16BE(udp.length, 4);
  header[6] = UDP;
  header[7] = TTL;
  source.copy(header, 8);
  destination.copy(header, 24);
  // RFC 8200 section 8.1: addresses, length, next header.
  const pseudo = Buffer.alloc(8);
  pseudo.writeUInt32BE(udp.length, 0);
  pseudo[7] = UDP;
  udp.writeUInt16BE(internetChecksum(header.subarray(8), pseudo, udp) || 0xffff, 6);
  return Buffer.concat([header, udp]);
}

function udpOf({ kind, sequence }: Probe): Buffer {
  const udp = Buffer.alloc(UDP_BYTES + PAYLOAD_BYTES);
  udp.writeUInt16BE(PORT.probe, 0);
  udp.writeUInt16BE(PORT.probe, 2);
  udp.writeUInt16BE(kind === "invalid" ? WRONG_LENGTH : udp.length, 4);
  udp.writeUInt32BE(MAGIC, UDP_BYTES);
  udp[UDP_BYTES + 4] = KINDS.indexOf(kind);
  udp.writeUInt32BE(sequence >>> 0, UDP_BYTES + 5);
  return udp;
}

/** An inner packet with its IP header; undefined for what is no probe. */
export function decodeProbe(family: Family, bytes: Buffer): Probe | undefined {
  const [at, width] = family === "IPv4" ? [12, 4] : [8, 16];
  if (bytes.length < IP_HEADER_BYTES[family] + UDP_BYTES + PAYLOAD_BYTES) return undefined;
  const from = formatAddress(bytes.subarray(at, at + width));
  return decodeUdp(family, from, bytes.subarray(IP_HEADER_BYTES[family]));
}

/** A UDP header and what follows; undefined for what is no probe. */
export function decodeUdp(family: Family, from: string, bytes: Buffer): Probe | undefined {
  if (bytes.length < UDP_BYTES + PAYLOAD_BYTES) return undefined;
  const kind = KINDS[bytes[UDP_BYTES + 4] ?? -1];
  if (bytes.readUInt16BE(2) !== PORT.probe || bytes.readUInt32BE(UDP_BYTES) !== MAGIC) return undefined;
  if (kind === undefined) return undefined;
  return { family, from, kind, sequence: bytes.readUInt32BE(UDP_BYTES + 5) };
}
