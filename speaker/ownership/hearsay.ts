/**
 * Claims that somebody else than their claimant tells. Whoever has the key of gossip may tell them, so they count for
 * nothing until the claimant says the same: it is asked, once what it tells everybody by itself would have come. A
 * claimant that does not answer cannot be asked (an older release; a path that works one way only), and then hearsay is all
 * that there is. Pure: time is an argument.
 */
import type { Claim } from "./claims.ts";

export interface Hearsayed {
  readonly claim: Claim;
  /** Who has to say the same. */
  readonly witness: string;
  /** Told as part of all that somebody knows. */
  readonly isWhole: boolean;
}

interface Pending extends Hearsayed {
  asked: number;
  /** When the witness is asked (again), milliseconds. */
  at: number;
}

export interface Look {
  /** Witness -> the addresses that it is to be asked about. */
  readonly questions: ReadonlyMap<string, readonly string[]>;
  /** Of these nobody says anything. */
  readonly unanswered: readonly Hearsayed[];
  /** When there is more to do; undefined: nothing waits. */
  readonly againAt: number | undefined;
}

/** The claimant's own word takes so long at most, if it is not lost; milliseconds. */
const FIRST_MS = 30;
const AGAIN_MS = 200;
/** Questions to one witness about one address. */
const MOST_ASKED = 5;

export class Hearsay {
  /** By address, one of each: what is told meanwhile comes again with the next whole state. */
  readonly #pending = new Map<string, Pending>();

  get size(): number {
    return this.#pending.size;
  }

  /** When the witness is to be asked. */
  add(hearsayed: Hearsayed, now: number): number {
    const { vip } = hearsayed.claim;
    const at = now + FIRST_MS;
    if (!this.#pending.has(vip)) this.#pending.set(vip, { ...hearsayed, asked: 0, at });
    return at;
  }

  /** The hearsay about the address, which is settled by an answer of its witness; undefined: nobody waits for it. */
  answered(vip: string, witness: string): Hearsayed | undefined {
    const pending = this.#pending.get(vip);
    if (pending === undefined || pending.witness !== witness || pending.asked === 0) return undefined;
    this.#pending.delete(vip);
    return pending;
  }

  /** `isIdle`: it is known by now, or better. `canAsk`: a member that is there. */
  look(now: number, isIdle: (claim: Claim) => boolean, canAsk: (node: string) => boolean): Look {
    const questions = new Map<string, string[]>();
    const unanswered: Hearsayed[] = [];
    let againAt: number | undefined;
    for (const [vip, pending] of this.#pending) {
      const { claim, witness } = pending;
      if (isIdle(claim)) this.#pending.delete(vip);
      else if (pending.at > now) againAt = Math.min(againAt ?? pending.at, pending.at);
      else if (pending.asked === MOST_ASKED || !canAsk(witness)) {
        this.#pending.delete(vip);
        unanswered.push(pending);
      } else {
        pending.asked += 1;
        pending.at = now + AGAIN_MS;
        againAt = Math.min(againAt ?? pending.at, pending.at);
        const asked = questions.get(witness);
        if (asked === undefined) questions.set(witness, [vip]);
        else asked.push(vip);
      }
    }
    return { questions, unanswered, againAt };
  }
}
