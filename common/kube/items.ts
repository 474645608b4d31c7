/**
 * The bytes of a list's answer, cut into its items while they arrive. A page of the API server is as large as its
 * objects are, and tenants make those; parsed in one piece it would be in memory three times over. So each item is
 * parsed alone and given away, and only what stands around the items (kind, metadata) is kept.
 */
import { ConnectionError } from "#common/kube/error.ts";

const QUOTE = 0x22;
const COMMA = 0x2c;
const ARRAY = 0x5b;
const BACKSLASH = 0x5c;
const ARRAY_END = 0x5d;
const OBJECT = 0x7b;
const OBJECT_END = 0x7d;

/** Kind, resourceVersion and continue token need a few hundred bytes. */
const MAX_ENVELOPE_BYTES = 64 * 2 ** 10;
/** What the envelope ends with where the items begin; a quote within a name has a backslash before it. */
const ITEMS_BEGIN = /[{,]\s*"items"\s*:\s*$/;
/** As much of the envelope as ITEMS_BEGIN needs. */
const TAIL_BYTES = 64;

export class ItemSplitter {
  readonly #what: string;
  readonly #envelope: Bounded;
  readonly #item: Bounded;
  #depth = 0;
  #isInString = false;
  #isEscaped = false;
  #isInItems = false;

  constructor(what: string, maxItemBytes: number) {
    this.#what = what;
    this.#envelope = new Bounded(MAX_ENVELOPE_BYTES, () =>
      this.#wrong(`more than ${MAX_ENVELOPE_BYTES} bytes of the answer are no items`),
    );
    this.#item = new Bounded(
      maxItemBytes,
      () => new ConnectionError("TOO_LARGE", what, `an object is larger than ${maxItemBytes} bytes`),
    );
  }

  /** The items that `chunk` completes. ConnectionError if one is too large, or what comes is no list. */
  *push(chunk: Buffer): Generator<Buffer, void, undefined> {
    let from = 0;
    // The one loop that sees every byte of every object.
    for (let at = this.#isInString ? this.#skipString(chunk, 0) : 0; at < chunk.length; at += 1) {
      const byte = chunk[at];
      if (byte === QUOTE && !this.#isBetween) {
        this.#isInString = true;
        at = this.#skipString(chunk, at + 1) - 1;
      } else if (byte === OBJECT || byte === ARRAY) {
        from = this.#open(chunk, from, at);
      } else if (byte === OBJECT_END || byte === ARRAY_END) {
        this.#depth -= 1;
        if (this.#isBetween) {
          this.#item.keep(chunk.subarray(from, at + 1));
          from = at + 1;
          yield this.#item.take();
        } else if (this.#isInItems && this.#depth === 1) {
          this.#isInItems = false;
          from = at;
        }
      } else if (this.#isBetween || this.#depth === 0) {
        this.#allow(chunk, at);
      }
    }
    if (!this.#isInItems) this.#envelope.keep(chunk.subarray(from));
    else if (this.#depth > 2) this.#item.keep(chunk.subarray(from));
  }

  /** The answer without its items (`"items":[]`), once all of it was pushed. */
  end(): Buffer {
    if (this.#depth !== 0) throw this.#wrong("the answer ends within the list");
    return this.#envelope.take();
  }

  /** Within the list of items and not within one of them. */
  get #isBetween(): boolean {
    return this.#isInItems && this.#depth === 2;
  }

  /** An object or an array begins at `at`; returns from where on bytes are still to be kept. */
  #open(chunk: Buffer, from: number, at: number): number {
    const isArray = chunk[at] === ARRAY;
    if (isArray && (this.#depth === 0 || this.#isBetween)) this.#allow(chunk, at);
    let next = from;
    if (this.#isBetween) next = at;
    else if (isArray && this.#depth === 1 && this.#beginsItems(chunk.subarray(from, at))) {
      this.#isInItems = true;
      this.#envelope.keep(chunk.subarray(from, at + 1));
      next = at + 1;
    }
    this.#depth += 1;
    return next;
  }

  /** Between items, and around the list, there is nothing but space and commas. */
  #allow(chunk: Buffer, at: number): void {
    const byte = chunk[at];
    if (isSpace(byte) || (byte === COMMA && this.#isBetween)) return;
    if (this.#isBetween) throw this.#wrong("an item of the list is no object");
    throw this.#noObject(chunk.subarray(at));
  }

  /** The place behind the string that `at` is in, or the end of `chunk`. */
  #skipString(chunk: Buffer, at: number): number {
    let isEscaped = this.#isEscaped;
    let place = at;
    for (; place < chunk.length; place += 1) {
      const byte = chunk[place];
      if (isEscaped) isEscaped = false;
      else if (byte === BACKSLASH) isEscaped = true;
      else if (byte === QUOTE) {
        this.#isEscaped = false;
        this.#isInString = false;
        return place + 1;
      }
    }
    this.#isEscaped = isEscaped;
    return place;
  }

  #beginsItems(before: Buffer): boolean {
    const tail = Buffer.concat([this.#envelope.peek(), before]).subarray(-TAIL_BYTES);
    return ITEMS_BEGIN.test(tail.toString("latin1"));
  }

  #noObject(bytes: Buffer): ConnectionError {
    const code = bytes[0] === ARRAY ? "MALFORMED" : "NOT_JSON";
    const beginning = JSON.stringify(bytes.subarray(0, 60).toString("utf8"));
    return new ConnectionError(code, this.#what, `the answer is no list: ${beginning}`);
  }

  #wrong(detail: string): ConnectionError {
    return new ConnectionError("MALFORMED", this.#what, detail);
  }
}

/** Pieces of bytes that belong together, up to a limit. */
class Bounded {
  readonly #maxBytes: number;
  readonly #tooLarge: () => ConnectionError;
  #parts: Buffer[] = [];
  #size = 0;

  constructor(maxBytes: number, tooLarge: () => ConnectionError) {
    this.#maxBytes = maxBytes;
    this.#tooLarge = tooLarge;
  }

  keep(part: Buffer): void {
    if (part.length === 0) return;
    this.#size += part.length;
    if (this.#size > this.#maxBytes) throw this.#tooLarge();
    this.#parts.push(part);
  }

  peek(): Buffer {
    const [only] = this.#parts;
    if (this.#parts.length !== 1 || only === undefined)
      this.#parts = [Buffer.concat(this.#parts, this.#size)];
    return this.#parts[0] ?? Buffer.alloc(0);
  }

  take(): Buffer {
    const whole = this.peek();
    this.#parts = [];
    this.#size = 0;
    return whole;
  }
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}
