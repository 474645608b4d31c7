/**
 * Primitive codecs of netlink payloads. The name says the byte order: `u32` is the machine's own, `u32be` the network's.
 * Every decoder throws DecodeError and nothing else, whatever the bytes are.
 */
import { isIPv4, isIPv6 } from "node:net";

export class DecodeError extends Error {
  readonly code = "DECODE";
  constructor(message: string) {
    super(message);
    this.name = "DecodeError";
  }
}

export interface Codec<T> {
  encode(value: T): Buffer;
  decode(bytes: Buffer): T;
}

const IS_LITTLE = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

export const readU16 = (bytes: Buffer, at: number): number =>
  IS_LITTLE ? bytes.readUInt16LE(at) : bytes.readUInt16BE(at);
export const readU32 = (bytes: Buffer, at: number): number =>
  IS_LITTLE ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at);
export const readI32 = (bytes: Buffer, at: number): number => readU32(bytes, at) | 0;
export const writeU16 = (bytes: Buffer, value: number, at: number): number =>
  IS_LITTLE ? bytes.writeUInt16LE(value, at) : bytes.writeUInt16BE(value, at);
export const writeU32 = (bytes: Buffer, value: number, at: number): number =>
  IS_LITTLE ? bytes.writeUInt32LE(value, at) : bytes.writeUInt32BE(value, at);

/** Rounds up to the 4 bytes that netlink aligns to. */
export const align = (length: number): number => (length + 3) & ~3;

function sized<T>(
  size: number,
  write: (bytes: Buffer, value: T) => void,
  read: (bytes: Buffer) => T,
): Codec<T> {
  return {
    encode(value) {
      const bytes = Buffer.alloc(size);
      write(bytes, value);
      return bytes;
    },
    decode(bytes) {
      if (bytes.length < size) throw new DecodeError(`${bytes.length} bytes where ${size} are needed`);
      return read(bytes);
    },
  };
}

export const u8 = sized<number>(
  1,
  (bytes, value) => bytes.writeUInt8(value),
  (bytes) => bytes.readUInt8(0),
);
export const u16 = sized<number>(
  2,
  (bytes, value) => writeU16(bytes, value, 0),
  (bytes) => readU16(bytes, 0),
);
export const u32 = sized<number>(
  4,
  (bytes, value) => writeU32(bytes, value, 0),
  (bytes) => readU32(bytes, 0),
);
export const u16be = sized<number>(
  2,
  (bytes, value) => bytes.writeUInt16BE(value),
  (bytes) => bytes.readUInt16BE(0),
);
export const u32be = sized<number>(
  4,
  (bytes, value) => bytes.writeUInt32BE(value),
  (bytes) => bytes.readUInt32BE(0),
);

/** NUL-terminated text. */
export const text: Codec<string> = {
  encode: (value) => Buffer.from(`${value}\0`, "latin1"),
  decode(bytes) {
    const end = bytes.indexOf(0);
    return bytes.toString("latin1", 0, end < 0 ? bytes.length : end);
  },
};

/** Bytes as they are; a copy when decoded, since receive buffers are used again. */
export const raw: Codec<Buffer> = { encode: (value) => value, decode: (bytes) => Buffer.from(bytes) };

/** 4 or 16 bytes, by the family of the text. */
export const address: Codec<string> = {
  encode: parseAddress,
  decode(bytes) {
    if (bytes.length === 4 || bytes.length === 16) return formatAddress(bytes);
    throw new DecodeError(`an address of ${bytes.length} bytes`);
  },
};

/** Text to 4 or 16 bytes. Throws DecodeError for what is not one address. */
export function parseAddress(value: string): Buffer {
  if (isIPv4(value)) return Buffer.from(value.split(".").map(Number));
  if (!isIPv6(value) || value.includes("%")) throw new DecodeError(`not an address: ${value}`);
  const [head = "", tail] = value.split("::");
  const left = groups(head);
  const right = groups(tail ?? "");
  const bytes = Buffer.alloc(16);
  left.forEach((group, at) => {
    bytes.writeUInt16BE(group, at * 2);
  });
  right.forEach((group, at) => {
    bytes.writeUInt16BE(group, 16 - (right.length - at) * 2);
  });
  return bytes;
}

function groups(part: string): number[] {
  if (part === "") return [];
  return part.split(":").flatMap((group) => {
    if (!group.includes(".")) return [Number.parseInt(group, 16)];
    const [a = 0, b = 0, c = 0, d = 0] = group.split(".").map(Number);
    return [(a << 8) | b, (c << 8) | d];
  });
}

/** 4 or 16 bytes to canonical text (RFC 5952 section 4). */
export function formatAddress(bytes: Buffer): string {
  if (bytes.length === 4) return bytes.join(".");
  const words = Array.from({ length: 8 }, (_, at) => bytes.readUInt16BE(at * 2));
  const { start, length } = longestZeros(words);
  const hex = words.map((word) => word.toString(16));
  if (length < 2) return hex.join(":");
  return `${hex.slice(0, start).join(":")}::${hex.slice(start + length).join(":")}`;
}

function longestZeros(words: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  for (let start = 0; start < words.length; start++) {
    let length = 0;
    while (words[start + length] === 0) length++;
    if (length > best.length) best = { start, length };
  }
  return best;
}
