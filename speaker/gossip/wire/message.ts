/**
 * The messages of hashicorp/memberlist (net.go of v0.7.0): one octet of type, then one msgpack map.
 *
 * | type | message | what it says |
 * |---|---|---|
 * | 0 | ping | answer with an ack, if you are this node |
 * | 1 | indirect ping | ping that node for me |
 * | 2 | ack | I am here, or: the one that you asked me to ping is |
 * | 3 | suspect | `from` got no ack from `node` |
 * | 4 | alive | `node` is at this address |
 * | 5 | dead | `node` did not object; from itself: it leaves |
 * | 6 | push/pull | all that I know (over TCP) |
 * | 7 | compound | several messages |
 * | 8 | user | something of the application: not ours |
 * | 9 | compress | another message, by LZW |
 * | 10 | encrypt | the rest of a stream |
 * | 11 | nack | the one that you asked me to ping does not answer |
 * | 12 | checksum | CRC-32 of what follows |
 * | 13 | error | over TCP: why you get no answer |
 * | 244 | label | whose traffic it is |
 */
import { formatAddress, parseAddress } from "#speaker/netlink/bytes.ts";
import { malformed } from "./error.ts";
import { bytesOf, type Fields, flagOf, type Packable, pack, textOf, uintOf, unpack } from "./pack.ts";

export const TYPE = {
  ping: 0,
  indirectPing: 1,
  ack: 2,
  suspect: 3,
  alive: 4,
  dead: 5,
  pushPull: 6,
  compound: 7,
  user: 8,
  compress: 9,
  encrypt: 10,
  nack: 11,
  checksum: 12,
  error: 13,
  label: 244,
} as const;

export const MOST_U32 = 0xffff_ffff;
export const MOST_U16 = 0xffff;
/** Octets of a name: that of a Kubernetes object. */
export const LONGEST_NAME = 253;
/** memberlist's MetaMaxSize. */
export const LONGEST_META = 512;
const LONGEST_PAYLOAD = 1_024;

export interface Endpoint {
  /** Canonical text. */
  readonly address: string;
  readonly port: number;
}

/** Who asks, for the answer; old members do not say. */
export interface Source extends Endpoint {
  readonly node: string;
}

export interface Ping {
  readonly type: "ping";
  readonly sequence: number;
  /** "": whoever is at that address. */
  readonly node: string;
  readonly source?: Source;
}
export interface IndirectPing {
  readonly type: "indirectPing";
  readonly sequence: number;
  readonly target: Endpoint;
  readonly node: string;
  readonly nack: boolean;
  readonly source?: Source;
}
export interface Ack {
  readonly type: "ack";
  readonly sequence: number;
  readonly payload: Uint8Array;
}
export interface Nack {
  readonly type: "nack";
  readonly sequence: number;
}
export interface Accusation {
  readonly type: "suspect" | "dead";
  readonly incarnation: number;
  readonly node: string;
  readonly from: string;
}
export interface Alive extends Endpoint {
  readonly type: "alive";
  readonly incarnation: number;
  readonly node: string;
  readonly meta: Uint8Array;
  /** Of the protocol, then of the application: least, most, spoken. */
  readonly versions: Uint8Array;
}
export interface User {
  readonly type: "user";
  readonly bytes: Uint8Array;
}
export type Message = Ping | IndirectPing | Ack | Nack | Accusation | Alive | User;

const NAMES = {
  [TYPE.ping]: "ping",
  [TYPE.indirectPing]: "indirectPing",
  [TYPE.ack]: "ack",
  [TYPE.suspect]: "suspect",
  [TYPE.alive]: "alive",
  [TYPE.dead]: "dead",
  [TYPE.user]: "user",
  [TYPE.nack]: "nack",
} as const satisfies Record<number, Message["type"]>;

/** Type and map. */
export function encodeMessage(message: Message): Buffer {
  const type = Uint8Array.of(TYPE[message.type]);
  const body = message.type === "user" ? message.bytes : pack(fieldsOf(message));
  return Buffer.concat([type, body]);
}

function fieldsOf(message: Exclude<Message, User>): Record<string, Packable> {
  switch (message.type) {
    case "ping":
      return { Node: message.node, SeqNo: message.sequence, ...sourceFields(message.source) };
    case "indirectPing":
      return {
        Nack: message.nack,
        Node: message.node,
        Port: message.target.port,
        SeqNo: message.sequence,
        ...sourceFields(message.source),
        Target: parseAddress(message.target.address),
      };
    case "ack":
      return { Payload: message.payload.length === 0 ? null : message.payload, SeqNo: message.sequence };
    case "nack":
      return { SeqNo: message.sequence };
    case "suspect":
    case "dead":
      return { From: message.from, Incarnation: message.incarnation, Node: message.node };
    case "alive":
      return {
        Addr: parseAddress(message.address),
        Incarnation: message.incarnation,
        Meta: message.meta.length === 0 ? null : message.meta,
        Node: message.node,
        Port: message.port,
        Vsn: message.versions,
      };
  }
}

function sourceFields(source: Source | undefined): Record<string, Packable> {
  if (source === undefined) return {};
  return { SourceAddr: parseAddress(source.address), SourceNode: source.node, SourcePort: source.port };
}

/** One message that has no others inside. GossipError. */
export function decodeMessage(bytes: Uint8Array): Message {
  const type = NAMES[bytes[0] as keyof typeof NAMES];
  if (type === undefined) throw malformed(`a message of type ${bytes[0]}`);
  const rest = bytes.subarray(1);
  if (type === "user") return { type, bytes: rest };
  const fields = unpack(rest);
  switch (type) {
    case "ping":
      return { type, sequence: sequenceOf(fields), node: nameOf(fields, "Node"), ...sourceOf(fields) };
    case "indirectPing":
      return {
        type,
        sequence: sequenceOf(fields),
        target: { address: addressOf(fields, "Target"), port: portOf(fields, "Port") },
        node: nameOf(fields, "Node"),
        nack: flagOf(fields, "Nack"),
        ...sourceOf(fields),
      };
    case "ack":
      return { type, sequence: sequenceOf(fields), payload: bytesOf(fields, "Payload", LONGEST_PAYLOAD) };
    case "nack":
      return { type, sequence: sequenceOf(fields) };
    case "suspect":
    case "dead":
      return {
        type,
        incarnation: uintOf(fields, "Incarnation", MOST_U32),
        node: nameOf(fields, "Node"),
        from: nameOf(fields, "From"),
      };
    case "alive":
      return { type, node: nameOf(fields, "Node"), ...placeOf(fields) };
  }
}

/** What `alive` and a record of push/pull have in common. GossipError. */
export function placeOf(fields: Fields): Omit<Alive, "type" | "node"> {
  return {
    incarnation: uintOf(fields, "Incarnation", MOST_U32),
    address: addressOf(fields, "Addr"),
    port: portOf(fields, "Port"),
    // Copies: what came in may be large, and goes.
    meta: Uint8Array.from(bytesOf(fields, "Meta", LONGEST_META)),
    versions: Uint8Array.from(bytesOf(fields, "Vsn", 16)),
  };
}

const sequenceOf = (fields: Fields): number => uintOf(fields, "SeqNo", MOST_U32);
const portOf = (fields: Fields, name: string): number => uintOf(fields, name, MOST_U16);
export const nameOf = (fields: Fields, name: string): string => textOf(fields, name, LONGEST_NAME);

function sourceOf(fields: Fields): { source?: Source } {
  if (bytesOf(fields, "SourceAddr", 16).length === 0 || portOf(fields, "SourcePort") === 0) return {};
  const address = addressOf(fields, "SourceAddr");
  return { source: { address, port: portOf(fields, "SourcePort"), node: nameOf(fields, "SourceNode") } };
}

const MAPPED = Buffer.from("00000000000000000000ffff", "hex");

/** 4 or 16 octets; an IPv4 address that is written as IPv6 is IPv4. */
function addressOf(fields: Fields, name: string): string {
  const bytes = Buffer.from(bytesOf(fields, name, 16));
  if (bytes.length === 4) return formatAddress(bytes);
  if (bytes.length !== 16) throw malformed(`${name} has ${bytes.length} octets, and is no address`);
  return formatAddress(bytes.subarray(0, 12).equals(MAPPED) ? bytes.subarray(12) : bytes);
}
