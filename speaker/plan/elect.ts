/**
 * Pure: which node owns an address. Rendezvous hashing (Thaler and Ravishankar, 1998): every candidate gets a score
 * from its name and the address, the highest wins. So all nodes with the same candidates agree without talking,
 * a candidate that leaves moves its own addresses only, and they spread over all that are left.
 */

export interface Election {
  /** Canonical text of the address. */
  readonly vip: string;
  /** Names of the nodes that may own it, in any order. */
  readonly candidates: Iterable<string>;
  /** The owner until now: it stays while it is a candidate. Unset: the highest score wins. */
  readonly present?: string | undefined;
}

/** The owner's name; undefined without candidates. */
export function elect({ vip, candidates, present }: Election): string | undefined {
  let winner: string | undefined;
  let best = -1;
  for (const candidate of candidates) {
    if (candidate === present) return candidate;
    const own = score(candidate, vip);
    if (own > best || (own === best && winner !== undefined && candidate < winner)) {
      winner = candidate;
      best = own;
    }
  }
  return winner;
}

/** 53 bits out of two independent 32-bit hashes, so that equal scores hardly happen; a tie goes to the first name. */
function score(node: string, vip: string): number {
  const text = `${node}\n${vip}`;
  return hash(text, 0x811c9dc5) * 2 ** 21 + (hash(text, 0x9747b28c) >>> 11);
}

/** FNV-1a over UTF-16 units, then MurmurHash3's finalizer: FNV alone leaves similar names with similar scores. */
function hash(text: string, seed: number): number {
  let value = seed;
  for (let at = 0; at < text.length; at += 1) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193);
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return (value ^ (value >>> 16)) >>> 0;
}
