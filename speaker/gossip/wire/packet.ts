/**
 * One datagram: [label] sealed( [checksum] [compressed] message or compound ). Nothing is ever sent or read in the
 * clear. Checksums and compression are read, as memberlist may write them, and not written: the seal is a better
 * checksum, and what we send is small.
 */
import { crc32 } from "node:zlib";
import { GossipError, malformed } from "./error.ts";
import { type Keyring, nonceOf, SEAL_OVERHEAD, seal, unseal } from "./keyring.ts";
import { inflate } from "./lzw.ts";
import { decodeMessage, type Message, TYPE } from "./message.ts";
import { bytesOf, uintOf, unpack } from "./pack.ts";

/** Octets of a datagram that no path with ordinary links cuts. */
export const PACKET_OCTETS = 1_400;
/** A datagram unpacks to no more; memberlist's packets end at 1,400 octets, 64 KiB by its configuration. */
const MOST_UNPACKED = 64 << 10;
/** Messages of one compound: its count is one octet. */
export const MOST_PARTS = 255;
const PART_OVERHEAD = 2;
const COMPOUND_OVERHEAD = 2;

export interface Envelope {
  readonly ring: Keyring;
  /** UTF-8 of up to 255 octets; "": none. */
  readonly label: string;
}

export interface Opened {
  readonly messages: readonly Message[];
  /** Parts of it that were dropped. */
  readonly faults: readonly GossipError[];
  /** Differs for every text that was ever sealed. */
  readonly nonce: string;
}

/** Octets for messages in one packet, each of which costs PART_OVERHEAD more. */
export function roomOf({ label }: Pick<Envelope, "label">): number {
  const labelled = label === "" ? 0 : 2 + Buffer.byteLength(label);
  return PACKET_OCTETS - labelled - SEAL_OVERHEAD - COMPOUND_OVERHEAD;
}

export const costOf = (message: Uint8Array): number => message.length + PART_OVERHEAD;

/** One datagram of encoded messages, 255 at most. */
export function sealPacket(messages: readonly Uint8Array[], envelope: Envelope, nonce: Uint8Array): Buffer {
  const [only] = messages;
  const plain = messages.length === 1 && only !== undefined ? only : compound(messages);
  return Buffer.concat([
    labelHeader(envelope.label),
    seal(envelope.ring, plain, labelOctets(envelope.label), nonce),
  ]);
}

/** Type, count, lengths of 16 bits, messages. */
function compound(messages: readonly Uint8Array[]): Buffer {
  const head = Buffer.alloc(2 + 2 * messages.length);
  head[0] = TYPE.compound;
  head[1] = messages.length;
  for (const [at, message] of messages.entries()) head.writeUInt16BE(message.length, 2 + 2 * at);
  return Buffer.concat([head, ...messages]);
}

/** The messages of one datagram. GossipError if none can be read. */
export function openPacket(bytes: Uint8Array, envelope: Envelope): Opened {
  const sealed = withoutLabel(bytes, envelope.label);
  const plain = unseal(envelope.ring, sealed, labelOctets(envelope.label));
  const faults: GossipError[] = [];
  const messages: Message[] = [];
  for (const part of partsOf(plain, faults)) {
    try {
      messages.push(decodeMessage(part));
    } catch (error) {
      if (!(error instanceof GossipError)) throw error;
      faults.push(error);
    }
  }
  const [fault] = faults;
  if (messages.length === 0 && fault !== undefined) throw fault;
  return { messages, faults, nonce: nonceOf(sealed) };
}

/** Each wrapping once and in memberlist's order: what wraps itself over and over is no packet. */
export function partsOf(plain: Uint8Array, faults: GossipError[]): Uint8Array[] {
  const checked = plain[0] === TYPE.checksum ? withoutChecksum(plain) : plain;
  const unpacked = checked[0] === TYPE.compress ? decompress(checked.subarray(1), MOST_UNPACKED) : checked;
  if (unpacked[0] !== TYPE.compound) return [unpacked];
  const count = unpacked[1];
  if (count === undefined || unpacked.length < 2 + 2 * count)
    throw malformed("a compound shorter than its lengths");
  const parts: Uint8Array[] = [];
  let at = 2 + 2 * count;
  for (let part = 0; part < count; part++) {
    const length = ((unpacked[2 + 2 * part] ?? 0) << 8) | (unpacked[3 + 2 * part] ?? 0);
    if (at + length > unpacked.length) {
      faults.push(malformed(`a compound without its last ${count - part} messages`));
      break;
    }
    parts.push(unpacked.subarray(at, at + length));
    at += length;
  }
  return parts;
}

function withoutChecksum(plain: Uint8Array): Uint8Array {
  if (plain.length < 5) throw malformed("a checksum of less than 4 octets");
  const rest = plain.subarray(5);
  const wanted = Buffer.from(plain.subarray(1, 5)).readUInt32BE(0);
  if (crc32(rest) !== wanted) throw new GossipError("checksum", "wrong checksum");
  return rest;
}

/** The map of a compressed message. GossipError. */
export function decompress(body: Uint8Array, most: number): Buffer {
  const fields = unpack(body);
  if (uintOf(fields, "Algo", 255) !== 0) throw malformed("compressed by an unknown algorithm");
  return inflate(bytesOf(fields, "Buf", most), most);
}

const labelOctets = (label: string): Buffer => Buffer.from(label);

export function labelHeader(label: string): Buffer {
  const octets = labelOctets(label);
  return octets.length === 0 ? octets : Buffer.concat([Uint8Array.of(TYPE.label, octets.length), octets]);
}

function withoutLabel(bytes: Uint8Array, label: string): Uint8Array {
  const header = labelHeader(label);
  const isOurs = header.equals(bytes.subarray(0, header.length));
  if (!isOurs || (label === "" && bytes[0] === TYPE.label)) throw new GossipError("label", "not our label");
  return bytes.subarray(header.length);
}
