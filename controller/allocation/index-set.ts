/**
 * A set of numbers out of 0..size-1 that answers "which is the lowest one not in it" without looking at each:
 * a tree of 32-bit masks, 32 children a node. Every call costs the tree's depth (4 nodes for a /16, 13 for a /64);
 * memory grows with what is in the set, not with `size`.
 */

const BITS = 5;
const FANOUT = 1 << BITS;
const ALL = -1;

interface Node {
  /** Bit n: child n (in a leaf: number n) is full. */
  full: number;
  /** Bit n: child n is there. A leaf has none: its numbers are in `full`. */
  present: number;
  readonly children: (Node | undefined)[];
}

const newNode = (): Node => ({ full: 0, present: 0, children: [] });

export class IndexSet {
  readonly size: bigint;
  readonly #depth: number;
  #root = newNode();
  #count = 0;

  constructor(size: bigint) {
    this.size = size;
    this.#depth = Math.max(1, Math.ceil((size > 1n ? (size - 1n).toString(2).length : 1) / BITS));
  }

  get count(): number {
    return this.#count;
  }

  has(index: bigint): boolean {
    let node: Node | undefined = this.#root;
    for (let level = this.#depth - 1; level > 0; level -= 1) {
      const digit = digitOf(index, level);
      if (((node.full >>> digit) & 1) === 1) return true;
      node = node.children[digit];
      if (node === undefined) return false;
    }
    return ((node.full >>> digitOf(index, 0)) & 1) === 1;
  }

  /** False if it was in already. RangeError outside of 0..size-1. */
  add(index: bigint): boolean {
    this.#check(index);
    if (this.has(index)) return false;
    this.#add(this.#root, this.#depth - 1, index);
    this.#count += 1;
    return true;
  }

  /** False if it was not in. */
  delete(index: bigint): boolean {
    this.#check(index);
    if (!this.has(index)) return false;
    this.#delete(this.#root, this.#depth - 1, index);
    this.#count -= 1;
    return true;
  }

  /** The lowest number from `from` on that is not in the set; undefined if there is none. */
  firstFree(from = 0n): bigint | undefined {
    if (from >= this.size) return undefined;
    const found = find(this.#root, this.#depth - 1, from);
    // Numbers beyond `size` are never added, so they look free.
    return found === undefined || found >= this.size ? undefined : found;
  }

  #check(index: bigint): void {
    if (index < 0n || index >= this.size) throw new RangeError(`${index} is not in 0..${this.size - 1n}`);
  }

  #add(node: Node, level: number, index: bigint): void {
    const digit = digitOf(index, level);
    if (level > 0) {
      const child = node.children[digit] ?? newNode();
      node.children[digit] = child;
      node.present |= 1 << digit;
      this.#add(child, level - 1, index);
      if (child.full !== ALL) return;
    }
    node.full |= 1 << digit;
  }

  #delete(node: Node, level: number, index: bigint): void {
    const digit = digitOf(index, level);
    node.full &= ~(1 << digit);
    if (level === 0) return;
    const child = node.children[digit];
    if (child === undefined) return;
    this.#delete(child, level - 1, index);
    if (child.full !== 0 || child.present !== 0) return;
    node.children[digit] = undefined;
    node.present &= ~(1 << digit);
  }
}

/** The digit of `index` at `level`, the lowest level being 0. */
function digitOf(index: bigint, level: number): number {
  return Number((index >> BigInt(level * BITS)) & 31n);
}

/** The lowest free number below `node` that is at least `from` (undefined: from the node's first). */
function find(node: Node, level: number, from: bigint | undefined): bigint | undefined {
  const start = from === undefined ? 0 : digitOf(from, level);
  const open = ~node.full & (ALL << start);
  if (level === 0) return open === 0 ? undefined : BigInt(lowestBit(open));
  for (let rest = open; rest !== 0; rest &= rest - 1) {
    const digit = lowestBit(rest);
    const child = node.children[digit];
    const below = digit === start ? from : undefined;
    const found = child === undefined ? lowestOf(below, level) : find(child, level - 1, below);
    if (found !== undefined) return (BigInt(digit) << BigInt(level * BITS)) | found;
  }
  return undefined;
}

/** In an empty child every number is free: the lowest that is allowed, as a number below that child. */
function lowestOf(from: bigint | undefined, level: number): bigint {
  return from === undefined ? 0n : from & ((1n << BigInt(level * BITS)) - 1n);
}

/** Position of the lowest bit of `mask`, which is not 0. */
function lowestBit(mask: number): number {
  return FANOUT - 1 - Math.clz32(mask & -mask);
}
