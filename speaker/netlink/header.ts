/**
 * Netlink messages (struct nlmsghdr, RFC 3549 section 2.2).
 *
 *    0                   1                   2                   3
 *    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *   +---------------------------------------------------------------+
 *   |                     length (with this header)                 |
 *   +-------------------------------+-------------------------------+
 *   |             type              |             flags             |
 *   +-------------------------------+-------------------------------+
 *   |                        sequence number                        |
 *   +---------------------------------------------------------------+
 *   |                          port id                              |
 *   +---------------------------------------------------------------+
 */
import { eachAttribute } from "./attribute.ts";
import { align, DecodeError, readI32, readU16, readU32, text, writeU16, writeU32 } from "./bytes.ts";

export const HEADER_BYTES = 16;

export const FLAG = {
  request: 0x1,
  multi: 0x2,
  ack: 0x4,
  dumpInterrupted: 0x10,
  replace: 0x100,
  dump: 0x300,
  exclusive: 0x200,
  create: 0x400,
  append: 0x800,
} as const;

export const TYPE = { noop: 1, error: 2, done: 3, overrun: 4 } as const;

export interface Message {
  type: number;
  flags: number;
  sequence: number;
  payload: Buffer;
}

export function encodeMessage(message: Message): Buffer {
  const length = HEADER_BYTES + message.payload.length;
  const bytes = Buffer.alloc(align(length));
  writeU32(bytes, length, 0);
  writeU16(bytes, message.type, 4);
  writeU16(bytes, message.flags, 6);
  writeU32(bytes, message.sequence, 8);
  message.payload.copy(bytes, HEADER_BYTES);
  return bytes;
}

/** All messages of one datagram; payloads are views into it. Throws DecodeError. */
export function decodeMessages(bytes: Buffer): Message[] {
  const messages: Message[] = [];
  for (let at = 0; at < bytes.length; ) {
    if (at + HEADER_BYTES > bytes.length)
      throw new DecodeError(`${bytes.length - at} bytes of a message header`);
    const length = readU32(bytes, at);
    if (length < HEADER_BYTES || at + length > bytes.length) {
      throw new DecodeError(`message length ${length} at ${at} of ${bytes.length}`);
    }
    messages.push({
      type: readU16(bytes, at + 4),
      flags: readU16(bytes, at + 6),
      sequence: readU32(bytes, at + 8),
      payload: bytes.subarray(at + HEADER_BYTES, at + length),
    });
    at += align(length);
  }
  return messages;
}

const NLM_F_CAPPED = 0x100;
const NLM_F_ACK_TLVS = 0x200;
const NLMSGERR_ATTR_MSG = 1;

/** What an error message says: errno (positive, 0 = acknowledged) and the kernel's own words, if any. */
export function decodeError(message: Message): { errno: number; explanation?: string } {
  const { payload } = message;
  if (payload.length < 4) throw new DecodeError(`an error message of ${payload.length} bytes`);
  const errno = -readI32(payload, 0);
  if (message.type === TYPE.done || !(message.flags & NLM_F_ACK_TLVS)) return { errno };
  if (payload.length < 4 + HEADER_BYTES)
    throw new DecodeError("an error message without the message it is about");
  const isCapped = (message.flags & NLM_F_CAPPED) !== 0;
  const quoted = isCapped ? HEADER_BYTES : readU32(payload, 4);
  let explanation: string | undefined;
  eachAttribute(payload.subarray(4 + align(quoted)), (type, value) => {
    if (type === NLMSGERR_ATTR_MSG) explanation = text.decode(value);
  });
  return explanation === undefined ? { errno } : { errno, explanation };
}
