/**
 * Msgpack as memberlist writes it: each message is one map with the Go names of its fields, in alphabetical order. Text
 * and octets both are of the old type "raw", so that octets must not be read as text. Reading is the library's;
 * writing is ours, because the library has no way to write octets as raw.
 */
import { Decoder } from "@msgpack/msgpack";
import { GossipError, malformed } from "./error.ts";

export type Packable = number | boolean | string | Uint8Array | null;
export type Fields = Readonly<Record<string, unknown>>;

/** Octets of one field; a compressed push/pull is the largest. */
const LONGEST_FIELD = 2 << 20;
const decoder = new Decoder({
  rawStrings: true,
  maxBinLength: LONGEST_FIELD,
  maxMapLength: 32,
  maxArrayLength: 32,
  maxExtLength: 0,
});
const utf8 = new TextDecoder("utf-8", { fatal: true });

/** One map. GossipError. */
export function unpack(bytes: Uint8Array): Fields {
  return reading(() => asFields(decoder.decode(bytes)));
}

/** The first map of several. GossipError. */
export function unpackFirst(bytes: Uint8Array): Fields {
  return reading(() => asFields(decoder.decodeMulti(bytes).next().value));
}

/** Maps one after the other to the end, `most` of them. GossipError. */
export function unpackAll(bytes: Uint8Array, most: number): Fields[] {
  return reading(() => {
    const found: Fields[] = [];
    for (const one of decoder.decodeMulti(bytes)) {
      if (found.length === most) throw new GossipError("size", `more than ${most} records`);
      found.push(asFields(one));
    }
    return found;
  });
}

function reading<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof GossipError) throw error;
    throw malformed("no msgpack", error);
  }
}

function asFields(value: unknown): Fields {
  if (typeof value !== "object" || value === null || Array.isArray(value) || value instanceof Uint8Array)
    throw malformed("msgpack without a map");
  return value as Fields;
}

/** A whole number up to `most`; 0 when it is not there, as Go reads it. GossipError. */
export function uintOf(fields: Fields, name: string, most: number): number {
  const value = fields[name] ?? 0;
  if (typeof value !== "number" || !Number.isInteger(value) || value < 0 || value > most)
    throw malformed(`${name} is no number up to ${most}`);
  return value;
}

/** `most` octets; none when it is not there or nil. GossipError. */
export function bytesOf(fields: Fields, name: string, most: number): Uint8Array {
  const value = fields[name] ?? NOTHING;
  if (!(value instanceof Uint8Array)) throw malformed(`${name} is not of octets`);
  if (value.length > most)
    throw new GossipError("size", `${name} has ${value.length} octets, ${most} at most`);
  return value;
}

const NOTHING = new Uint8Array(0);

/** UTF-8 of `most` octets. GossipError. */
export function textOf(fields: Fields, name: string, most: number): string {
  const bytes = bytesOf(fields, name, most);
  try {
    return utf8.decode(bytes);
  } catch (error) {
    throw malformed(`${name} is no UTF-8`, error);
  }
}

export function flagOf(fields: Fields, name: string): boolean {
  const value = fields[name] ?? false;
  if (typeof value !== "boolean") throw malformed(`${name} is neither true nor false`);
  return value;
}

/** The fields in the order given: at most 15, numbers up to 32 bits. */
export function pack(fields: Readonly<Record<string, Packable>>): Buffer {
  const names = Object.keys(fields);
  const parts: Uint8Array[] = [Uint8Array.of(0x80 | names.length)];
  for (const name of names) {
    packRaw(parts, Buffer.from(name));
    packValue(parts, fields[name] ?? null);
  }
  return Buffer.concat(parts);
}

function packValue(parts: Uint8Array[], value: Packable): void {
  if (value === null) parts.push(Uint8Array.of(0xc0));
  else if (typeof value === "boolean") parts.push(Uint8Array.of(value ? 0xc3 : 0xc2));
  else if (typeof value === "number") parts.push(packNumber(value));
  else packRaw(parts, typeof value === "string" ? Buffer.from(value) : value);
}

function packNumber(value: number): Uint8Array {
  if (value < 0x80) return Uint8Array.of(value);
  if (value < 0x100) return Uint8Array.of(0xcc, value);
  if (value < 0x1_0000) return Uint8Array.of(0xcd, value >>> 8, value);
  return Uint8Array.of(0xce, value >>> 24, value >>> 16, value >>> 8, value);
}

function packRaw(parts: Uint8Array[], bytes: Uint8Array): void {
  const { length } = bytes;
  if (length < 32) parts.push(Uint8Array.of(0xa0 | length));
  else if (length < 0x1_0000) parts.push(Uint8Array.of(0xda, length >>> 8, length));
  else parts.push(Uint8Array.of(0xdb, length >>> 24, length >>> 16, length >>> 8, length));
  parts.push(bytes);
}
