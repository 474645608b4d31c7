/** LZW as GIF has it (least significant bit first, 8-bit literals), which is Go's compress/lzw. Reading only. */
import { GossipError, malformed } from "./error.ts";

const LITERALS = 256;
const CLEAR = 256;
const END = 257;
const FIRST_WIDTH = 9;
const LAST_WIDTH = 12;
const CODES = 1 << LAST_WIDTH;

/** At most `most` octets. GossipError. */
export function inflate(packed: Uint8Array, most: number): Buffer {
  const prefix = new Uint16Array(CODES);
  const suffix = new Uint8Array(CODES);
  const stack = new Uint8Array(CODES);
  let output = Buffer.allocUnsafe(Math.min(most, Math.max(1_024, packed.length * 3)));
  let length = 0;
  let bits = 0;
  let held = 0;
  let width = FIRST_WIDTH;
  /** The last code of the table; that of END when it is empty. */
  let high = END;
  let last = -1;

  const put = (byte: number): void => {
    if (length === most) throw new GossipError("size", `it unpacks to more than ${most} octets`);
    if (length === output.length) {
      const larger = Buffer.allocUnsafe(Math.min(most, output.length * 2));
      output.copy(larger);
      output = larger;
    }
    output[length++] = byte;
  };

  for (let at = 0; ; ) {
    while (held < width) {
      if (at === packed.length) throw malformed("LZW without its end");
      bits |= (packed[at++] ?? 0) << held;
      held += 8;
    }
    const code = bits & ((1 << width) - 1);
    bits >>>= width;
    held -= width;
    if (code === END) return output.subarray(0, length);
    if (code === CLEAR) {
      width = FIRST_WIDTH;
      high = END;
      last = -1;
      continue;
    }
    // The next code that the table will get is the string before with its own first octet.
    const isNext = last !== -1 && code === high + 1 && high + 1 < CODES;
    if (code > high && !isNext) throw malformed(`LZW code ${code} that nothing stands for`);
    let depth = 0;
    let walk = isNext ? last : code;
    while (walk >= LITERALS) {
      stack[depth++] = suffix[walk] ?? 0;
      walk = prefix[walk] ?? 0;
    }
    put(walk);
    for (let back = depth - 1; back >= 0; back--) put(stack[back] ?? 0);
    if (isNext) put(walk);
    if (last !== -1 && high + 1 < CODES) {
      high += 1;
      suffix[high] = walk;
      prefix[high] = last;
    }
    last = code;
    // A writer widens one code earlier than it has entries: it will have made one more by then.
    if (high + 1 >= 1 << width && width < LAST_WIDTH) width += 1;
  }
}
