/** NOTIFICATION (RFC 4271 section 4.5) with the text of a shutdown (RFC 9003). */
import { BgpError, Cease, ErrorCode, HeaderError, nameOf } from "./error.ts";
import { Reader } from "./reader.ts";

const MAX_TEXT_BYTES = 255;

export function encodeNotification({ code, subcode, data }: BgpError): Buffer {
  return Buffer.concat([Buffer.from([code, subcode]), data]);
}

export interface Notification {
  readonly code: number;
  readonly subcode: number;
  /** What the peer's operator has to say (RFC 9003); control characters are taken out. */
  readonly text?: string;
  /** For people: `cease (administrativeShutdown): new disks`. */
  readonly words: string;
}

export function decodeNotification(body: Buffer, isInside = false): Notification {
  const reader = new Reader(body, (what) => new BgpError(ErrorCode.header, HeaderError.badLength, what));
  const code = reader.u8("error code");
  const subcode = reader.u8("error subcode");
  const data = reader.rest();
  const name = nameOf(code, subcode);
  if (code === ErrorCode.cease && subcode === Cease.hardReset && data.length >= 2 && !isInside) {
    // RFC 8538 section 3.1: the data is what the NOTIFICATION would be without graceful restart.
    const inside = decodeNotification(data, true);
    return { ...inside, code, subcode, words: `${name}: ${inside.words}` };
  }
  const text = shutdownText(code, subcode, data);
  return {
    code,
    subcode,
    words: text === undefined ? name : `${name}: ${text}`,
    ...(text !== undefined && { text }),
  };
}

/** A Cease that says why in words. */
export function shutdown(subcode: number, words: string): BgpError {
  const bytes = Buffer.from(words, "utf8").subarray(0, MAX_TEXT_BYTES);
  return new BgpError(ErrorCode.cease, subcode, words, Buffer.concat([Buffer.from([bytes.length]), bytes]));
}

function shutdownText(code: number, subcode: number, data: Buffer): string | undefined {
  const isShutdown = subcode === Cease.administrativeShutdown || subcode === Cease.administrativeReset;
  if (code !== ErrorCode.cease || !isShutdown || data.length === 0) return undefined;
  const length = data.readUInt8(0);
  if (length === 0 || length > data.length - 1) return undefined;
  // What a router sends ends in logs and statuses: nothing in it moves a cursor, ends a line or turns its direction.
  return data.toString("utf8", 1, 1 + length).replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, " ");
}
