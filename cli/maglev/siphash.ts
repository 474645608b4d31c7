/** SipHash-1-3 of one 32-bit word, which is what the kernel's hsiphash is on 64-bit machines. Pure. */

const MASK = (1n << 64n) - 1n;
/** "somepseudorandomlygeneratedbytes", as SipHash (Aumasson and Bernstein, 2012) begins. */
const BEGIN = [0x736f6d6570736575n, 0x646f72616e646f6dn, 0x6c7967656e657261n, 0x7465646279746573n] as const;
/** Bytes of the word, in the highest byte of the last block. */
const LENGTH = 4n << 56n;

type State = [v0: bigint, v1: bigint, v2: bigint, v3: bigint];

const rotate = (value: bigint, by: bigint): bigint => ((value << by) | (value >> (64n - by))) & MASK;

function round([a, b, c, d]: State): State {
  let [v0, v1, v2, v3] = [(a + b) & MASK, rotate(b, 13n), (c + d) & MASK, rotate(d, 16n)];
  v1 ^= v0;
  v0 = rotate(v0, 32n);
  v3 ^= v2;
  v0 = (v0 + v3) & MASK;
  v3 = rotate(v3, 21n) ^ v0;
  v2 = (v2 + v1) & MASK;
  v1 = rotate(v1, 17n) ^ v2;
  v2 = rotate(v2, 32n);
  return [v0, v1, v2, v3];
}

/** `key`: both halves of it. The lower 32 bits of the hash, without a sign. */
export function siphash13(word: number, key: bigint): number {
  const block = LENGTH | BigInt(word >>> 0);
  let state: State = [BEGIN[0] ^ key, BEGIN[1] ^ key, BEGIN[2] ^ key, BEGIN[3] ^ key ^ block];
  state = round(state);
  state[0] ^= block;
  state[2] ^= 0xffn;
  for (let at = 0; at < 3; at += 1) state = round(state);
  return Number((state[0] ^ state[1] ^ state[2] ^ state[3]) & 0xffff_ffffn);
}
