/**
 * Who claims which address. A claim has an epoch, and the higher one counts; of two with the same epoch, the one whose
 * claimant the election puts first. So the claims of all nodes come to the same, in whatever order and however often
 * they are heard, and one claim for each address is all that has to be kept. Pure.
 */
import { elect } from "../plan/elect.ts";

export interface Claim {
  /** Canonical text of the address. */
  readonly vip: string;
  /** Who owns it, by its own word. */
  readonly node: string;
  /** Counts up with every change of the owner, from firstEpoch. */
  readonly epoch: number;
}

/** With the highest one no address can be claimed any more, and the election decides. */
export const MOST_EPOCH = 0xffff_ffff;

/** Seconds since 1970 of a date before which nobody ran this. */
const FIRST_DATE_S = 1_700_000_000;

/**
 * The epoch of whoever claims what nobody has claimed, as far as is known: the date in seconds, so that it is higher than
 * all that was claimed before every speaker of the cluster was down at once. Owners change more seldom than once a second.
 */
export function firstEpoch(date: Date): number {
  const seconds = Math.floor(date.getTime() / 1_000) - FIRST_DATE_S;
  return Math.min(Math.max(1, seconds), MOST_EPOCH - 1);
}

export class Claims {
  readonly #claims = new Map<string, Claim>();
  #changed = new Set<string>();

  of(vip: string): Claim | undefined {
    return this.#claims.get(vip);
  }

  get size(): number {
    return this.#claims.size;
  }

  list(): IterableIterator<Claim> {
    return this.#claims.values();
  }

  /** It would count: it is not older than what is known. */
  isNews(claim: Claim): boolean {
    const known = this.#claims.get(claim.vip);
    return known === undefined || isOver(claim, known);
  }

  /** True if the claim counts from now on. */
  add(claim: Claim): boolean {
    if (!this.isNews(claim)) return false;
    this.#claims.set(claim.vip, claim);
    this.#changed.add(claim.vip);
    return true;
  }

  /** Forgets addresses that nobody has any more. */
  keep(vips: ReadonlySet<string>): void {
    for (const vip of this.#claims.keys()) if (!vips.has(vip)) this.#claims.delete(vip);
  }

  /** Addresses of which the claim is another one than when it was last asked. */
  takeChanged(): ReadonlySet<string> {
    const changed = this.#changed;
    this.#changed = new Set();
    return changed;
  }
}

function isOver(claim: Claim, known: Claim): boolean {
  if (claim.epoch !== known.epoch) return claim.epoch > known.epoch;
  if (claim.node === known.node) return false;
  return elect({ vip: claim.vip, candidates: [claim.node, known.node] }) === claim.node;
}
