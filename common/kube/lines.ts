/**
 * Bytes to lines. Works on bytes, so that a character cut in two by a packet border is never decoded by halves,
 * and holds at most one line of a bounded length.
 */
import { ConnectionError } from "#common/kube/error.ts";

const NEWLINE = 0x0a;

export class LineSplitter {
  readonly #maxBytes: number;
  #parts: Buffer[] = [];
  #size = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Bytes of the line that has begun and not ended. */
  get pending(): number {
    return this.#size;
  }

  /** The lines that `chunk` completes, without their newline; empty lines are skipped. ConnectionError if one is too long. */
  *push(chunk: Buffer): Generator<Buffer, void, undefined> {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      this.#keep(chunk.subarray(start, end));
      start = end + 1;
      const line = this.#take();
      if (line.length > 0) yield line;
    }
    this.#keep(chunk.subarray(start));
  }

  #keep(part: Buffer): void {
    if (part.length === 0) return;
    this.#size += part.length;
    if (this.#size > this.#maxBytes) {
      throw new ConnectionError("TOO_LARGE", "watch", `a record is longer than ${this.#maxBytes} bytes`);
    }
    this.#parts.push(part);
  }

  #take(): Buffer {
    const [first, ...rest] = this.#parts;
    const line =
      first === undefined
        ? Buffer.alloc(0)
        : rest.length === 0
          ? first
          : Buffer.concat(this.#parts, this.#size);
    this.#parts = [];
    this.#size = 0;
    return line;
  }
}
