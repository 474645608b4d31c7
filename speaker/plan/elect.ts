/**
 * Pure: which node owns an address. Rendezvous hashing (Thaler and Ravishankar, 1998): every candidate gets a score
 * from its name and the address, and the highest score wins. So all nodes with the same candidates agree without
 * talking to each other. When a candidate leaves, only its own addresses move, and they spread over all candidates that
 * are left.
 */

import { FNV_START, finished, walked } from "#speaker/hash.ts";

export interface Election {
  /** Canonical text of the address. */
  readonly vip: string;
  /** Names of the nodes that may own it, in any order. */
  readonly candidates: Iterable<string>;
  /** The owner until now. It stays the owner while it is a candidate. If it is not set, the highest score wins. */
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

/** The candidates that came and those that left between two lists. */
export interface Turnover {
  readonly came: readonly string[];
  readonly left: ReadonlySet<string>;
}

export function turnoverOf(before: readonly string[], now: readonly string[]): Turnover {
  const [old, present] = [new Set(before), new Set(now)];
  return {
    came: now.filter((name) => !old.has(name)),
    left: new Set(before.filter((name) => !present.has(name))),
  };
}

/**
 * Gives the same as `elect` of all `candidates`, at less cost for a caller that knows which of the earlier candidates
 * won. Unless the winner left, only the candidates that came are compared with it. So when a node dies, only its own
 * addresses need an election.
 */
export function reelect(
  vip: string,
  winner: string,
  { came, left }: Turnover,
  candidates: readonly string[],
): string | undefined {
  if (left.has(winner)) return elect({ vip, candidates });
  return came.length === 0 ? winner : elect({ vip, candidates: [winner, ...came] });
}

/** 53 bits out of two independent 32-bit hashes, so that equal scores hardly happen; a tie goes to the first name. */
function score(node: string, vip: string): number {
  const [first, second] = startOf(node);
  return finished(walked(first, vip)) * 2 ** 21 + (finished(walked(second, vip)) >>> 11);
}

/**
 * Both hashes after a node's name has been read. They are kept, because the elections of thousands of addresses begin
 * with the same few names.
 */
const STARTS = new Map<string, readonly [number, number]>();
const MAX_STARTS = 10_000;

function startOf(node: string): readonly [number, number] {
  let start = STARTS.get(node);
  if (start === undefined) {
    const text = `${node}\n`;
    start = [walked(FNV_START, text), walked(0x9747b28c, text)];
    if (STARTS.size >= MAX_STARTS) STARTS.clear();
    STARTS.set(node, start);
  }
  return start;
}
