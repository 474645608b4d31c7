/** The header of every message, and messages out of a stream (RFC 4271 section 4.1, RFC 8654). */
import { BgpError, ErrorCode, HeaderError } from "./error.ts";
import { u16be } from "./reader.ts";

export const MessageType = { open: 1, update: 2, notification: 3, keepalive: 4, routeRefresh: 5 } as const;
export type MessageType = (typeof MessageType)[keyof typeof MessageType];

export const HEADER_BYTES = 19;
export const MAX_MESSAGE_BYTES = 4_096;
/** Of all but OPEN and KEEPALIVE, where both sides can (RFC 8654). */
export const MAX_EXTENDED_BYTES = 65_535;
const MARKER = Buffer.alloc(16, 0xff);

const SHORTEST: Readonly<Record<MessageType, number>> = {
  [MessageType.open]: 29,
  [MessageType.update]: 23,
  [MessageType.notification]: 21,
  [MessageType.keepalive]: 19,
  [MessageType.routeRefresh]: 23,
};

export interface RawMessage {
  readonly type: MessageType;
  readonly body: Buffer;
}

export function encodeMessage(type: MessageType, body: Buffer): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  MARKER.copy(header);
  header.writeUInt16BE(HEADER_BYTES + body.length, 16);
  header.writeUInt8(type, 18);
  return Buffer.concat([header, body]);
}

export const KEEPALIVE = encodeMessage(MessageType.keepalive, Buffer.alloc(0));

/** Puts messages together out of what comes in; keeps at most one that is not whole. */
export class MessageSplitter {
  #pending: Buffer = Buffer.alloc(0);
  /** Both sides can: set when the session knows. */
  allowsExtended = false;

  /** Whole messages, in order. Throws BgpError (code 1) at the first that is none; nothing more comes after it. */
  *push(chunk: Buffer): Generator<RawMessage> {
    this.#pending = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    while (this.#pending.length >= HEADER_BYTES) {
      const { type, length } = this.#header();
      if (this.#pending.length < length) return;
      const body = this.#pending.subarray(HEADER_BYTES, length);
      this.#pending = this.#pending.subarray(length);
      yield { type, body };
    }
  }

  #header(): { type: MessageType; length: number } {
    const bytes = this.#pending;
    if (!bytes.subarray(0, 16).equals(MARKER)) {
      throw new BgpError(ErrorCode.header, HeaderError.notSynchronized, "the marker is not all ones");
    }
    const length = bytes.readUInt16BE(16);
    const type = bytes.readUInt8(18);
    if (!isMessageType(type)) {
      const data = Buffer.from([type]);
      throw new BgpError(ErrorCode.header, HeaderError.badType, `type ${type}`, data);
    }
    if (length < SHORTEST[type] || length > this.#longest(type)) {
      const detail = `${length} bytes for a message of type ${type}`;
      throw new BgpError(ErrorCode.header, HeaderError.badLength, detail, u16be(length));
    }
    return { type, length };
  }

  #longest(type: MessageType): number {
    if (type === MessageType.keepalive) return HEADER_BYTES;
    const isExtended = this.allowsExtended && type !== MessageType.open;
    return isExtended ? MAX_EXTENDED_BYTES : MAX_MESSAGE_BYTES;
  }
}

function isMessageType(type: number): type is MessageType {
  return type >= MessageType.open && type <= MessageType.routeRefresh;
}
