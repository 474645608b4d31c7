/**
 * Whether this node knows what the others claim: they tell it by gossip. Pure.
 *
 * - A speaker that starts says that it is ready when a peer has told it all claims. Where nobody does, it does not wait
 *   for long: it is alone, or does not hear the others.
 * - Whoever heard nobody for a while and hears somebody again was cut off. Until it was told what happened meanwhile, it
 *   takes nothing that it does not answer for.
 * - Who does not take part in gossip, or hears nobody though others live, tells so by its Lease: then all follow the
 *   election alone. Not at once, or a thread that starts anew would move addresses.
 */
import type { GossipView } from "../gossip/gossip.ts";
import { isUp } from "../gossip/types.ts";
import type { Judgement } from "./liveness.ts";

export interface AcquaintanceInput {
  readonly own: string;
  readonly now: number;
  readonly gossip: GossipView;
  /** Other members that there should be; undefined: this node takes no part in gossip. */
  readonly peers: number | undefined;
  readonly lease: Pick<Judgement, "live" | "isFrozen">;
}

/** So long, milliseconds, a peer may take to tell what is claimed. */
const TELL_MS = 2_000;
/** So long, milliseconds, gossip may be silent before the Lease says so. */
const SILENT_MS = 10_000;

export class Acquaintance {
  /** Since when this node would like to say that it is ready. */
  #askedAt: number | undefined;
  #isIntroduced = false;
  #isCutOff = false;
  /** When it last heard claims. */
  #heardAt: number | undefined;

  /** This node starts anew: it knows nobody. */
  forget(): void {
    this.#askedAt = undefined;
    this.#isIntroduced = false;
  }

  /** `isAsking`: this node would like to say that it is ready. */
  look(input: AcquaintanceInput, isAsking: boolean): void {
    const { now, gossip, peers } = input;
    if (isAsking) this.#askedAt ??= now;
    const hasJoined = gossip.joinedAt !== undefined;
    const isLate = this.#askedAt !== undefined && now - this.#askedAt >= TELL_MS;
    if (isAsking && (hasJoined || isLate || peers === undefined || peers === 0)) this.#isIntroduced = true;
    const { contactAt = Number.NEGATIVE_INFINITY, joinedAt = Number.NEGATIVE_INFINITY } = gossip;
    this.#isCutOff = joinedAt < contactAt && now - contactAt < TELL_MS;
    if (hearsNow(input)) this.#heardAt = now;
    else if (this.#heardAt !== undefined && !input.lease.isFrozen && now - this.#heardAt >= SILENT_MS)
      this.#heardAt = undefined;
  }

  /** It may say that it is ready. */
  get isIntroduced(): boolean {
    return this.#isIntroduced;
  }

  /** It does not know yet what the others claim. */
  get isCatchingUp(): boolean {
    return !this.#isIntroduced || this.#isCutOff;
  }

  /** It hears what others claim, or there is nobody else. */
  get hearsClaims(): boolean {
    return this.#heardAt !== undefined;
  }
}

function hearsNow({ own, gossip, peers, lease }: AcquaintanceInput): boolean {
  if (peers === undefined || gossip.problem !== undefined) return false;
  const isAlone = !lease.isFrozen && lease.live.every((node) => node === own);
  return isAlone || (gossip.joinedAt !== undefined && [...gossip.members.values()].some(isUp));
}
