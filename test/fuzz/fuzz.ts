/** Feeds decoders with noise and with mutations of real messages: they throw their own error, or nothing. */
import type { Decoder } from "./decoders.ts";

export interface FuzzResult {
  readonly name: string;
  readonly messages: number;
  /** Messages that were refused. */
  readonly refused: number;
  readonly perSecond: number;
}

/** A decoder did what it may not; the message that made it is in hex. */
export class FuzzFailure extends Error {
  override readonly name = "FuzzFailure";
  readonly code = "FUZZ";
}

/** A small generator with a seed, so that a run can be had again (mulberry32). */
export function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
}

const EDGES = [0, 1, 2, 3, 4, 16, 32, 33, 127, 128, 254, 255];
const LONGEST_NOISE = 600;

/** Throws FuzzFailure at the first message that a decoder cannot take. */
export function fuzz(decoder: Decoder, count: number, seed: number): FuzzResult {
  const random = generator(seed);
  const began = performance.now();
  let refused = 0;
  for (let at = 0; at < count; at += 1) {
    const bytes = messageFor(decoder, at, random);
    try {
      decoder.decode(bytes);
    } catch (error) {
      if (decoder.error === undefined || !(error instanceof decoder.error)) {
        const words = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
        throw new FuzzFailure(
          `${decoder.name}: ${words}; seed ${seed}, message ${at}: ${bytes.toString("hex")}`,
          { cause: error },
        );
      }
      refused += 1;
    }
  }
  const perSecond = Math.round(count / ((performance.now() - began) / 1_000));
  return { name: decoder.name, messages: count, refused, perSecond };
}

function messageFor({ seeds, spoiled }: Decoder, at: number, random: () => number): Buffer {
  if (at % 4 === 3) return noise(random);
  return spoiled !== undefined && at % 2 === 0 ? spoiled(random) : mutated(seeds, random);
}

function noise(random: () => number): Buffer {
  const bytes = Buffer.alloc(random() % LONGEST_NOISE);
  for (let at = 0; at < bytes.length; at += 1) bytes[at] = random() & 255;
  return bytes;
}

/** A few octets changed, some taken out or put in, the end cut off or another message's put there. */
function mutated(seeds: readonly Buffer[], random: () => number): Buffer {
  const pick = (): Buffer => seeds[random() % seeds.length] ?? Buffer.alloc(0);
  let bytes: Buffer = Buffer.from(pick());
  for (let change = random() % 6; change >= 0 && bytes.length > 0; change -= 1) {
    const at = random() % bytes.length;
    switch (random() % 6) {
      case 0:
        bytes[at] = random() & 255;
        break;
      case 1:
        bytes[at] = EDGES[random() % EDGES.length] ?? 0;
        break;
      case 2:
        bytes[at] = (bytes[at] ?? 0) ^ (1 << (random() % 8));
        break;
      case 3:
        bytes = bytes.subarray(0, at);
        break;
      case 4:
        bytes = Buffer.concat([bytes.subarray(0, at), noise(random).subarray(0, 8), bytes.subarray(at)]);
        break;
      case 5:
        bytes = Buffer.concat([bytes.subarray(0, at), pick().subarray(random() % 20)]);
        break;
    }
  }
  return bytes;
}
