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

export function decodeNotification(body: Buffer): Notification {
  const reader = new Reader(body, (what) => new BgpError(ErrorCode.header, HeaderError.badLength, what));
  const code = reader.u8("error code");
  const subcode = reader.u8("error subcode");
  const text = shutdownText(code, subcode, reader.rest());
  const name = nameOf(code, subcode);
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
  // What a router sends ends in logs and statuses.
  return data.toString("utf8", 1, 1 + length).replaceAll(/\p{Cc}/gu, " ");
}
