/**
 * Addresses that this node gives to others: it tells the new owner again until that one claims it by itself, because nobody
 * else can. Pure: time is an argument.
 */
import type { Claim } from "./claims.ts";

const AGAIN_MS = 200;
const MOST_TOLD = 25;

export class Gifts {
  /** By address. */
  readonly #gifts = new Map<string, { readonly claim: Claim; told: number; at: number }>();

  /** The others were told just now. When the new owner is to be told again. */
  add(claim: Claim, now: number): number {
    const at = now + AGAIN_MS;
    this.#gifts.set(claim.vip, { claim, told: 0, at });
    return at;
  }

  /** `by` claims it. */
  taken(vip: string, by: string): void {
    if (this.#gifts.get(vip)?.claim.node === by) this.#gifts.delete(vip);
  }

  /** New owner -> what it is to be told now. `stands`: nobody has claimed it otherwise. */
  look(
    now: number,
    stands: (claim: Claim) => boolean,
  ): { readonly due: ReadonlyMap<string, readonly Claim[]>; readonly againAt: number | undefined } {
    const due = new Map<string, Claim[]>();
    let againAt: number | undefined;
    for (const [vip, gift] of this.#gifts) {
      if (gift.told === MOST_TOLD || !stands(gift.claim)) {
        this.#gifts.delete(vip);
        continue;
      }
      if (gift.at <= now) {
        gift.told += 1;
        gift.at = now + AGAIN_MS;
        const given = due.get(gift.claim.node);
        if (given === undefined) due.set(gift.claim.node, [gift.claim]);
        else given.push(gift.claim);
      }
      againAt = Math.min(againAt ?? gift.at, gift.at);
    }
    return { due, againAt };
  }
}
