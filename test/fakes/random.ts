/** Chance that repeats: the same seed gives the same numbers (xorshift32). */
import type { Random } from "#common/random.ts";

export function fakeRandom(seed = 1): Random {
  let state = seed | 0 || 1;
  const next = (): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
  const bytes = (length: number): Uint8Array => Uint8Array.from({ length }, () => Math.floor(next() * 256));
  return {
    number: next,
    bytes,
    uuid: () => {
      const hex = Buffer.from(bytes(16)).toString("hex");
      return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20)}`;
    },
  };
}

/** Always the same number, to take jitter out of a test. */
export function fixedRandom(number = 0.5): Random {
  return { ...fakeRandom(1), number: () => number };
}
