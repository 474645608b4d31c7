/**
 * Addresses of a range that are never given: the first and the last few of each block, whose size is a power of two.
 * How many are given below an address, and which one is the nth, is computed without a list. Pure.
 */
import { type Range, WIDTH } from "#api/address.ts";

export const LeftOut = {
  /** spec.avoidBuggyIPs: some routers take it for a network's or a broadcast address. */
  Buggy: "Buggy",
  /** RFC 4291 section 2.6.1: every router of the subnet answers for it, and so may every node that forwards. */
  SubnetRouter: "SubnetRouter",
} as const;
export type LeftOut = (typeof LeftOut)[keyof typeof LeftOut];

export class Skip {
  /** undefined: nothing is left out. */
  readonly why: LeftOut | undefined;
  readonly #bits: bigint;
  readonly #head: bigint;
  readonly #perBlock: bigint;

  /** Of each block of 2^`bits` addresses, the first (`head` 1) and the last (`tail` 1). */
  constructor(why: LeftOut | undefined, bits: number, head: 0 | 1, tail: 0 | 1) {
    this.why = why;
    this.#bits = BigInt(bits);
    this.#head = BigInt(head);
    this.#perBlock = (1n << this.#bits) - BigInt(head + tail);
  }

  has(address: bigint): boolean {
    const offset = this.#offsetOf(address);
    return offset < this.#head || offset >= this.#head + this.#perBlock;
  }

  /** How many addresses below this one are given. */
  givenBelow(address: bigint): bigint {
    const offset = this.#offsetOf(address) - this.#head;
    const inBlock = offset < 0n ? 0n : offset;
    return (address >> this.#bits) * this.#perBlock + inBlock;
  }

  /** The address below which `count` are given and which is given itself. */
  given(count: bigint): bigint {
    return ((count / this.#perBlock) << this.#bits) + this.#head + (count % this.#perBlock);
  }

  #offsetOf(address: bigint): bigint {
    return address & ((1n << this.#bits) - 1n);
  }
}

export const NOTHING = new Skip(undefined, 0, 0, 0);
/** IPv4 addresses that end in .0 or .255. */
export const BUGGY = new Skip(LeftOut.Buggy, 8, 1, 1);

/** Bits of an interface identifier (RFC 4291 section 2.5.1). */
const INTERFACE_BITS = 64;
/** By the bits of a subnet's interface identifiers; the same object each time, so that neighbours can be joined. */
const subnetRouterOf = new Map<number, Skip>();

/**
 * What is left out of a range of IPv6. A prefix longer than /64 may be a subnet of its own; of all others, and of
 * first-last, where the text says of no subnet, the /64s are. One or two addresses are meant as they are written:
 * RFC 6164 has no subnet-router address in a /127, and a /128 has no interface identifier.
 */
export function subnetRouters({ first, last }: Range, text: string): Skip {
  if (last - first <= 1n) return NOTHING;
  const hostBits = text.includes("/") ? (last - first + 1n).toString(2).length - 1 : WIDTH.IPv6;
  const bits = Math.min(hostBits, INTERFACE_BITS);
  let skip = subnetRouterOf.get(bits);
  if (skip === undefined) {
    skip = new Skip(LeftOut.SubnetRouter, bits, 1, 0);
    subnetRouterOf.set(bits, skip);
  }
  return skip;
}
