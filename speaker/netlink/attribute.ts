/**
 * Netlink attributes (struct nlattr): u16 length with header, u16 type, payload, padding to 4 bytes.
 * One table of fields gives both directions and the type: `attributes({ port: [2, u16be], weight: [4, u32] })`.
 */
import { align, type Codec, DecodeError, readU16, writeU16 } from "./bytes.ts";

const HEADER = 4;
const NLA_F_NESTED = 0x8000;
/** Without NLA_F_NESTED and NLA_F_NET_BYTEORDER. */
const TYPE_MASK = 0x3fff;
const LENGTH_MAX = 0xffff;

// biome-ignore lint/suspicious/noExplicitAny: each field has its own type; Decoded gives it back.
type Fields = Readonly<Record<string, readonly [type: number, codec: Codec<any>]>>;
export type Decoded<F extends Fields> = {
  -readonly [K in keyof F]?: F[K][1] extends Codec<infer T> ? T : never;
};
/** The value type of a codec. */
export type ValueOf<C> = C extends Codec<infer T> ? T : never;

/** One attribute with its header and padding. A RangeError if the payload does not fit 16 bits of length. */
export function attribute(type: number, payload: Buffer): Buffer {
  const length = HEADER + payload.length;
  if (length > LENGTH_MAX) throw new RangeError(`attribute ${type} of ${length} bytes`);
  const bytes = Buffer.alloc(align(length));
  writeU16(bytes, length, 0);
  writeU16(bytes, type, 2);
  payload.copy(bytes, HEADER);
  return bytes;
}

/** Calls `visit` for each attribute; throws DecodeError when lengths do not add up. */
export function eachAttribute(bytes: Buffer, visit: (type: number, payload: Buffer) => void): void {
  for (let at = 0; at + HEADER <= bytes.length; ) {
    const length = readU16(bytes, at);
    if (length < HEADER || at + length > bytes.length) {
      throw new DecodeError(`attribute length ${length} at ${at} of ${bytes.length}`);
    }
    visit(readU16(bytes, at + 2) & TYPE_MASK, bytes.subarray(at + HEADER, at + length));
    at += align(length);
  }
}

interface Nested {
  readonly isNested?: boolean;
}

/** Fields by name, any of them absent; unknown attributes are skipped. */
export function attributes<const F extends Fields>(fields: F): Codec<Decoded<F>> & Nested {
  const entries = Object.entries(fields);
  const byType = new Map(entries.map(([name, [type, codec]]) => [type, [name, codec] as const]));
  return {
    isNested: true,
    encode(value) {
      const parts: Buffer[] = [];
      for (const [name, [type, codec]] of entries) {
        const field = (value as Record<string, unknown>)[name];
        if (field === undefined) continue;
        const flag = (codec as Nested).isNested ? NLA_F_NESTED : 0;
        parts.push(attribute(type | flag, codec.encode(field)));
      }
      return Buffer.concat(parts);
    },
    decode(bytes) {
      const value: Record<string, unknown> = {};
      eachAttribute(bytes, (type, payload) => {
        const known = byType.get(type);
        if (known) value[known[0]] = known[1].decode(payload);
      });
      return value as Decoded<F>;
    },
  };
}

/** A nested list whose items all have one type number. */
export function listOf<T>(type: number, item: Codec<T>): Codec<readonly T[]> & Nested {
  return {
    isNested: true,
    encode(values) {
      const flag = (item as Nested).isNested ? NLA_F_NESTED : 0;
      return Buffer.concat(values.map((value) => attribute(type | flag, item.encode(value))));
    },
    decode(bytes) {
      const values: T[] = [];
      eachAttribute(bytes, (_type, payload) => values.push(item.decode(payload)));
      return values;
    },
  };
}
