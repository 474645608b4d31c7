/**
 * What goes over TCP: [label] 10, length of 32 bits, sealed( [compressed] message ). Push/pull is a map with counts, one
 * map for each member, and octets of the application.
 */

import { parseAddress } from "#speaker/netlink/bytes.ts";
import { GossipError, malformed } from "./error.ts";
import { nonceOf, SEAL_OVERHEAD, seal, unseal } from "./keyring.ts";
import { type Alive, decodeMessage, type Message, nameOf, placeOf, TYPE } from "./message.ts";
import { flagOf, pack, textOf, uintOf, unpack, unpackAll, unpackFirst } from "./pack.ts";
import { decompress, type Envelope, labelHeader } from "./packet.ts";

/** Octets of a sealed stream: 10,000 members have 1.5 million. */
export const MOST_STREAM = 2 << 20;
const MOST_UNPACKED_STREAM = 4 << 20;
export const MOST_RECORDS = 16_384;
const HEAD = 5;

/** memberlist's NodeStateType. */
export const STATES = ["alive", "suspect", "dead", "left"] as const;
export type MemberState = (typeof STATES)[number];

export interface MemberRecord extends Omit<Alive, "type"> {
  readonly state: MemberState;
}

export interface PushPull {
  readonly type: "pushPull";
  readonly join: boolean;
  readonly records: readonly MemberRecord[];
  /** The application's state; none: no octets. */
  readonly user: Uint8Array;
}
export interface StreamError {
  readonly type: "error";
  readonly text: string;
}
export type StreamMessage = PushPull | StreamError | Message;

/** Whoever opened the connection puts the label before; the answer is sealed with it, and does not show it. */
export type Direction = "request" | "answer";

const headerOf = (label: string, direction: Direction): Buffer =>
  direction === "request" ? labelHeader(label) : Buffer.alloc(0);

export interface OpenedStream {
  readonly message: StreamMessage;
  readonly nonce: string;
}

export function encodePushPull({ join, records, user }: Omit<PushPull, "type">): Buffer {
  const head = pack({ Join: join, Nodes: records.length, UserStateLen: user.length });
  return Buffer.concat([Uint8Array.of(TYPE.pushPull), head, ...records.map(packRecord), user]);
}

function packRecord(record: MemberRecord): Buffer {
  return pack({
    Addr: parseAddress(record.address),
    Incarnation: record.incarnation,
    Meta: record.meta.length === 0 ? null : record.meta,
    Name: record.node,
    Port: record.port,
    State: STATES.indexOf(record.state),
    Vsn: record.versions,
  });
}

/** A whole stream of one encoded message. */
export function sealStream(
  message: Uint8Array,
  { ring, label }: Envelope,
  nonce: Uint8Array,
  direction: Direction,
): Buffer {
  const head = Buffer.alloc(HEAD);
  head[0] = TYPE.encrypt;
  head.writeUInt32BE(message.length + SEAL_OVERHEAD, 1);
  const associated = Buffer.concat([head, Buffer.from(label)]);
  return Buffer.concat([headerOf(label, direction), head, seal(ring, message, associated, nonce)]);
}

/** Octets of the whole stream, once enough of it is there to tell; undefined before. GossipError. */
export function streamLength(
  bytes: Uint8Array,
  { label }: Pick<Envelope, "label">,
  direction: Direction,
): number | undefined {
  const header = headerOf(label, direction);
  const seen = Math.min(bytes.length, header.length);
  if (!header.subarray(0, seen).equals(bytes.subarray(0, seen)))
    throw new GossipError("label", "not our label");
  const head = bytes.subarray(header.length, header.length + HEAD);
  if (head.length > 0 && head[0] === TYPE.label) throw new GossipError("label", "not our label");
  if (head.length > 0 && head[0] !== TYPE.encrypt) throw new GossipError("key", "a stream in the clear");
  if (head.length < HEAD) return undefined;
  const length = Buffer.from(head).readUInt32BE(1);
  if (length > MOST_STREAM)
    throw new GossipError("size", `a stream of ${length} octets, ${MOST_STREAM} at most`);
  return header.length + HEAD + length;
}

/** A whole stream, of the length that `streamLength` tells. GossipError. */
export function openStream(bytes: Uint8Array, envelope: Envelope, direction: Direction): OpenedStream {
  const { ring, label } = envelope;
  const whole = bytes.subarray(headerOf(label, direction).length);
  const associated = Buffer.concat([whole.subarray(0, HEAD), Buffer.from(label)]);
  const sealed = whole.subarray(HEAD);
  const plain = unseal(ring, sealed, associated);
  const isPacked = plain[0] === TYPE.compress;
  return {
    message: decodeStreamMessage(isPacked ? decompress(plain.subarray(1), MOST_UNPACKED_STREAM) : plain),
    nonce: nonceOf(sealed),
  };
}

/** What is inside of the seal and unpacked. GossipError. */
export function decodeStreamMessage(plain: Uint8Array): StreamMessage {
  const body = plain.subarray(1);
  if (plain[0] === TYPE.pushPull) return decodePushPull(body);
  if (plain[0] === TYPE.error) return { type: "error", text: textOf(unpack(body), "Error", 1_024) };
  return decodeMessage(plain);
}

function decodePushPull(body: Uint8Array): PushPull {
  const head = unpackFirst(body);
  const count = uintOf(head, "Nodes", MOST_RECORDS);
  const userOctets = uintOf(head, "UserStateLen", body.length);
  const maps = unpackAll(body.subarray(0, body.length - userOctets), count + 1).slice(1);
  if (maps.length !== count) throw malformed(`${maps.length} records where ${count} are named`);
  const records = maps.map((fields): MemberRecord => {
    const state = STATES[uintOf(fields, "State", STATES.length - 1)] ?? "dead";
    return { node: nameOf(fields, "Name"), state, ...placeOf(fields) };
  });
  const user = body.subarray(body.length - userOctets);
  return { type: "pushPull", join: flagOf(head, "Join"), records, user };
}
