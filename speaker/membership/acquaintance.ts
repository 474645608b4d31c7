/**
 * Whether this node knows what the others claim: they tell it by gossip. Pure.
 *
 * - A speaker that starts says that it is ready when a peer has told it all claims. Where nobody does, it does not wait
 *   for long: it is alone, or does not hear the others. The wait begins when its gossip runs: on a busy node the thread
 *   takes a while to start, and whoever does not wait for it takes addresses that others have.
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
  /** What a peer told of others' claims is not certain yet: those are asked. */
  readonly isAsking?: boolean;
}

/** So long, milliseconds, a peer may take to tell what is claimed. */
const TELL_MS = 2_000;
/** So long, milliseconds, the gossip thread may take to start; it may never do. */
const START_MS = 5_000;
/** So long, milliseconds, gossip may be silent before the Lease says so. */
const SILENT_MS = 10_000;

/** All that is remembered, in plain values. */
export interface AcquaintanceState {
  /** Since when this node would like to say that it is ready, and its gossip runs. */
  askedAt: number | undefined;
  /** Since when it would like to, and its gossip does not run. */
  startingAt: number | undefined;
  isIntroduced: boolean;
  isCutOff: boolean;
  /** When it last heard claims. */
  heardAt: number | undefined;
}

const NOBODY_KNOWN = {
  ...{ askedAt: undefined, startingAt: undefined, isIntroduced: false },
  ...{ isCutOff: false, heardAt: undefined },
};

export class Acquaintance {
  readonly state: AcquaintanceState;

  /** Goes on from `state`, which is its own from then on. */
  constructor(state: AcquaintanceState = { ...NOBODY_KNOWN }) {
    this.state = state;
  }

  /** This node starts anew: it knows nobody. */
  forget(): void {
    this.state.askedAt = undefined;
    this.state.startingAt = undefined;
    this.state.isIntroduced = false;
  }

  /** `isAsking`: this node would like to say that it is ready. */
  look(input: AcquaintanceInput, isAsking: boolean): void {
    const { now, gossip, peers } = input;
    if (isAsking && gossip.problem === undefined) this.state.askedAt ??= now;
    else if (isAsking) this.state.startingAt ??= now;
    const isAskingOthers = input.isAsking === true;
    const hasJoined = gossip.joinedAt !== undefined && !isAskingOthers;
    const { askedAt = now, startingAt = now } = this.state;
    const isLate = now - askedAt >= TELL_MS || (gossip.problem !== undefined && now - startingAt >= START_MS);
    if (isAsking && (hasJoined || isLate || peers === undefined || peers === 0))
      this.state.isIntroduced = true;
    const { contactAt = Number.NEGATIVE_INFINITY, joinedAt = Number.NEGATIVE_INFINITY } = gossip;
    const isUntold = joinedAt < contactAt || (this.state.isCutOff && isAskingOthers);
    this.state.isCutOff = isUntold && now - contactAt < TELL_MS;
    if (hearsNow(input)) this.state.heardAt = now;
    else if (
      this.state.heardAt !== undefined &&
      !input.lease.isFrozen &&
      now - this.state.heardAt >= SILENT_MS
    )
      this.state.heardAt = undefined;
  }

  /** It may say that it is ready. */
  get isIntroduced(): boolean {
    return this.state.isIntroduced;
  }

  /** It does not know yet what the others claim. */
  get isCatchingUp(): boolean {
    return !this.state.isIntroduced || this.state.isCutOff;
  }

  /** It hears what others claim, or there is nobody else. */
  get hearsClaims(): boolean {
    return this.state.heardAt !== undefined;
  }
}

function hearsNow({ own, gossip, peers, lease }: AcquaintanceInput): boolean {
  if (peers === undefined || gossip.problem !== undefined) return false;
  const isAlone = !lease.isFrozen && lease.live.every((node) => node === own);
  return isAlone || (gossip.joinedAt !== undefined && [...gossip.members.values()].some(isUp));
}
