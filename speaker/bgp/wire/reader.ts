/** Reads bytes in order and never past their end. */

/** What is to be thrown when the bytes end too early. */
export type Short = (what: string) => Error;

export class Reader {
  readonly #bytes: Buffer;
  readonly #short: Short;
  #at = 0;

  constructor(bytes: Buffer, short: Short) {
    this.#bytes = bytes;
    this.#short = short;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  u8(what: string): number {
    return this.#take(1, what).readUInt8(0);
  }

  u16(what: string): number {
    return this.#take(2, what).readUInt16BE(0);
  }

  u32(what: string): number {
    return this.#take(4, what).readUInt32BE(0);
  }

  /** A view, not a copy. */
  bytes(length: number, what: string): Buffer {
    return this.#take(length, what);
  }

  /** What is left, without taking it. */
  ahead(): Buffer {
    return this.#bytes.subarray(this.#at);
  }

  rest(): Buffer {
    return this.#take(this.left, "");
  }

  #take(length: number, what: string): Buffer {
    if (this.#at + length > this.#bytes.length) throw this.#short(what);
    const part = this.#bytes.subarray(this.#at, this.#at + length);
    this.#at += length;
    return part;
  }
}

export function u16be(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}

export function u32be(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
}
