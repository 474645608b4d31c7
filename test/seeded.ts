/** Chance by a seed, so that a run can be had again (mulberry32). */

/** Numbers from 0 to below 1, evenly spread, the same ones for the same seed. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Whole numbers below `count`. */
export function drawer(seed: number): (count: number) => number {
  const next = seeded(seed);
  return (count) => Math.floor(next() * count);
}
