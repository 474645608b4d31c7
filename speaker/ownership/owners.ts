/**
 * Tells the others by gossip what this node claims, and takes what they tell. Wiring around ownership.ts.
 *
 * A claim is believed when its claimant tells it. What others tell of it is hearsay, and the claimant is asked
 * (hearsay.ts). An address that is given to this node is taken from its owner only; the new owner then tells everybody
 * by itself.
 */
import type { Cancel, Clock } from "#common/clock.ts";
import type { Logger } from "#common/log.ts";
import type { GossipThread } from "../gossip/gossip.ts";
import type { Told } from "../gossip/types.ts";
import { GossipError } from "../gossip/wire/error.ts";
import type { ClaimsView } from "../known/view.ts";
import { type Claim, MOST_EPOCH } from "./claims.ts";
import { Gifts } from "./gifts.ts";
import { Hearsay, type Hearsayed } from "./hearsay.ts";
import {
  claim,
  epochOf,
  hearClaims,
  isForUs,
  type Ownership,
  type OwnershipInput,
  startOwnership,
  type Tenure,
} from "./ownership.ts";
import { type ClaimsKind, decodeClaims, encodeClaims, kindOfClaims } from "./wire.ts";

export interface OwnersOptions {
  readonly node: string;
  readonly clock: Pick<Clock, "after" | "now" | "date">;
  readonly log: Logger;
  readonly gossip: Pick<GossipThread, "tell" | "say">;
  readonly isMember: (node: string) => boolean;
  /** Gossip hears the node: it can be asked. */
  readonly isHeard: (node: string) => boolean;
  /** Claims that are not kept. */
  readonly onDropped?: (reason: ClaimDrop, count: number) => void;
  /** Somebody claims an address otherwise than before, or there is something to claim. */
  readonly onChange: () => void;
}

/**
 * It cannot be read; it names no node that is known; no Service that is known has the address; another one told it than the
 * node that it names, and that one does not say so, or it was no owner that gave it away.
 */
export type ClaimDrop = "malformed" | "node" | "address" | "hearsay";

/** Octets of claims in one message: with a ping beside it, it fits into a packet. */
const MESSAGE_OCTETS = 1_200;
/** What was heard is passed on together after so long, milliseconds. */
const PASS_ON_MS = 20;
/** Claims of one text: four times what a cluster is made for. */
const MOST_CLAIMS = 40_000;

export class Owners {
  readonly #options: OwnersOptions;
  readonly #ownership: Ownership;
  #news: Claim[] = [];
  #cancel: Cancel | undefined;
  #cancelAgain: Cancel | undefined;
  #isUrgent = false;
  readonly #hearsay = new Hearsay();
  readonly #gifts = new Gifts();
  #cancelTend: Cancel | undefined;
  #tendAt = Number.POSITIVE_INFINITY;
  /** It has not been told yet what the others know, of itself as well. */
  #isStarting = true;

  constructor(options: OwnersOptions) {
    this.#options = options;
    this.#ownership = startOwnership(options.node);
  }

  /** Claims for one pass: what has changed is told once. */
  takeView(): ClaimsView {
    const { claims } = this.#ownership;
    return { claimantOf: (vip) => claims.of(vip)?.node, changed: claims.takeChanged() };
  }

  /** Looks at a new plan, and claims what there is to claim. */
  settle(input: Omit<OwnershipInput, "now" | "date">): void {
    const { clock, log, onChange } = this.#options;
    const now = clock.now();
    const { made, given, againAt } = claim(this.#ownership, { ...input, now, date: clock.date() });
    this.#cancelAgain?.();
    this.#cancelAgain = againAt === undefined ? undefined : clock.after(againAt - now, onChange);
    if (made.length > 0)
      log.info("addresses claimed", { event: "claimed", count: made.length, ips: vipsOf(made) });
    if (given.length > 0) {
      log.info("addresses given to other nodes", { event: "given", count: given.length, ips: vipsOf(given) });
      onChange();
    }
    if (input.mayClaim) this.#isStarting = false;
    if (made.length + given.length === 0) return;
    this.#news.push(...made, ...given);
    this.#isUrgent = true;
    this.#sendNews();
    this.#give(given);
  }

  /** How this node came to own the address; undefined: it does not. */
  tenureOf(vip: string): Tenure | undefined {
    return this.#ownership.owned.get(vip);
  }

  /** Of this node's claim on an address that it owns; undefined: it does not. */
  epochOf(vip: string): number | undefined {
    return epochOf(this.#ownership, vip);
  }

  /** Somebody outside of the cluster is told that this node owns them. */
  told(notices: readonly { readonly vip: string; readonly epoch: number }[]): void {
    const { told } = this.#ownership;
    for (const { vip, epoch } of notices) told.set(vip, Math.max(epoch, told.get(vip) ?? 0));
  }

  /** There is hearsay about claims, and nobody has said yet whether it is so. */
  get isAsking(): boolean {
    return this.#hearsay.size > 0;
  }

  /** What a member told. Octets that are no claims are passed over: they may be those of a later release. */
  hear({ from, bytes, isWhole }: Told): void {
    const { log, onDropped } = this.#options;
    const kind: ClaimsKind = kindOfClaims(bytes) ?? "claims";
    let heard: Claim[];
    try {
      heard = decodeClaims(bytes, MOST_CLAIMS, kind);
    } catch (error) {
      if (!(error instanceof GossipError)) throw error;
      log.debug("what a member claims cannot be read", { member: from, error: error.message });
      onDropped?.("malformed", 1);
      return;
    }
    if (kind === "question") this.#answer(from, heard);
    else if (kind === "answer") this.#hearAnswer(from, heard);
    else this.#hearClaims(from, heard, isWhole);
  }

  #hearClaims(from: string, heard: readonly Claim[], isWhole: boolean): void {
    const { node, clock, isMember, isHeard, onDropped } = this.#options;
    const { vips, claims, owners } = this.#ownership;
    const ofNobody = heard.filter((claim) => !isMember(claim.node)).length;
    const ofNothing = heard.filter(({ vip }) => !vips.has(vip)).length;
    if (ofNobody > 0) onDropped?.("node", ofNobody);
    if (ofNothing > 0) onDropped?.("address", ofNothing);
    const believed: Claim[] = [];
    const now = clock.now();
    for (const claim of heard) {
      const { vip } = claim;
      if (claim.node === from) this.#gifts.taken(vip, from);
      if (!vips.has(vip) || !isMember(claim.node) || !claims.isNews(claim)) continue;
      const owner = owners.get(vip);
      if (claim.node === from) believed.push(claim);
      else if (claim.node !== node) {
        if (isHeard(claim.node)) this.#doubt({ claim, witness: claim.node, isWhole }, now);
        else believed.push(claim);
      } else if (isForUs(this.#ownership, claim, from) || this.#isStarting) believed.push(claim);
      else if (owner !== undefined && owner !== from && isHeard(owner))
        this.#doubt({ claim, witness: owner, isWhole }, now);
      else onDropped?.("hearsay", 1);
    }
    this.#believe(from, believed, isWhole);
  }

  #doubt(hearsayed: Hearsayed, now: number): void {
    this.#tendBy(this.#hearsay.add(hearsayed, now));
  }

  /** Who asks is told what is known here: of an address that nobody claims, epoch 0. */
  #answer(from: string, questions: readonly Claim[]): void {
    const { node, gossip } = this.#options;
    const { claims, vips } = this.#ownership;
    const known = questions
      .filter(({ vip }) => vips.has(vip))
      .map(({ vip }) => claims.of(vip) ?? { vip, node, epoch: 0 });
    gossip.say(from, encodeClaims(known, { room: MESSAGE_OCTETS, kind: "answer" }));
  }

  #hearAnswer(from: string, answers: readonly Claim[]): void {
    const { node, onDropped } = this.#options;
    for (const answer of answers) {
      const hearsayed = this.#hearsay.answered(answer.vip, from);
      const isForUs = answer.node === node && hearsayed?.claim.node === node;
      if (answer.epoch > 0 && (answer.node === from || isForUs))
        this.#believe(from, [answer], hearsayed?.isWhole === true);
      if (hearsayed === undefined || (answer.epoch > 0 && answer.node === hearsayed.claim.node)) continue;
      onDropped?.("hearsay", 1);
      if (hearsayed.claim.node === node) this.#refute(hearsayed, from);
    }
    if (!this.isAsking) this.#options.onChange();
  }

  /** Somebody may have believed that this node has an address of another one: that one gets it by an epoch above it. */
  #refute({ claim }: Hearsayed, owner: string): void {
    const { claims } = this.#ownership;
    if (claim.epoch >= MOST_EPOCH || !claims.isNews(claim)) return;
    const given = { ...claim, node: owner, epoch: claim.epoch + 1 };
    claims.add(given);
    this.#give([given]);
    this.#news.push(given);
    this.#sendNews();
  }

  #believe(from: string, believed: readonly Claim[], isWhole: boolean): void {
    const { node, log, isMember, onChange, clock } = this.#options;
    // The first that it hears is what all others know already.
    const isKnown = this.#isStarting || this.#ownership.claims.size === 0;
    const counting = hearClaims(this.#ownership, believed, isMember);
    if (counting.length === 0) return;
    log.debug("others claim addresses", { member: from, count: counting.length, ips: vipsOf(counting) });
    // What was given to this node, only this node can tell.
    const given = this.#isStarting ? [] : counting.filter((claim) => claim.node === node);
    this.#news.push(...(isKnown ? given : counting));
    // After a partition, one of each side learns it all.
    this.#isUrgent ||= isWhole || given.length > 0;
    this.#cancel ??= clock.after(PASS_ON_MS, () => this.#sendNews());
    onChange();
  }

  #give(given: readonly Claim[]): void {
    for (const each of given) this.#tendBy(this.#gifts.add(each, this.#options.clock.now()));
  }

  #tendBy(at: number): void {
    if (at >= this.#tendAt) return;
    const { clock } = this.#options;
    this.#cancelTend?.();
    this.#tendAt = at;
    this.#cancelTend = clock.after(Math.max(0, at - clock.now()), () => this.#tend());
  }

  /** Asks about hearsay, and gives again what was given and not taken yet. */
  #tend(): void {
    const { clock, gossip, isHeard, onDropped, onChange, node } = this.#options;
    const { claims } = this.#ownership;
    const now = clock.now();
    this.#tendAt = Number.POSITIVE_INFINITY;
    const wasAsking = this.isAsking;
    const { questions, unanswered, againAt } = this.#hearsay.look(
      now,
      (claim) => !claims.isNews(claim),
      isHeard,
    );
    for (const [to, vips] of questions) {
      const asked = vips.map((vip) => ({ vip, node: to, epoch: 0 }));
      gossip.say(to, encodeClaims(asked, { room: MESSAGE_OCTETS, kind: "question" }));
    }
    for (const { claim, isWhole } of unanswered) {
      if (claim.node === node) onDropped?.("hearsay", 1);
      else this.#believe(claim.node, [claim], isWhole);
    }
    const gifts = this.#gifts.look(now, (claim) => claims.of(claim.vip) === claim);
    for (const [to, given] of gifts.due) gossip.say(to, encodeClaims(given, { room: MESSAGE_OCTETS }));
    if (wasAsking && !this.isAsking) onChange();
    this.#tendBy(Math.min(againAt ?? Number.POSITIVE_INFINITY, gifts.againAt ?? Number.POSITIVE_INFINITY));
  }

  /**
   * Another node was seen to announce these, which this node announces: one of the two has not heard a claim, since news
   * may be lost. Both tell theirs again, and the one whose claim does not count stops.
   */
  repeat(vips: readonly string[]): void {
    const { claims } = this.#ownership;
    const known = vips.flatMap((vip) => claims.of(vip) ?? []);
    if (known.length === 0) return;
    this.#options.log.info("other nodes announce addresses of this node: their claims are told again", {
      event: "claimsRepeated",
      count: known.length,
      ips: vipsOf(known),
    });
    this.#news.push(...known);
    this.#isUrgent = true;
    this.#sendNews();
  }

  close(): void {
    this.#cancel?.();
    this.#cancelAgain?.();
    this.#cancelTend?.();
  }

  #sendNews(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    const { claims } = this.#ownership;
    const news = encodeClaims(
      [...new Set(this.#news)].filter((one) => claims.of(one.vip) === one),
      { room: MESSAGE_OCTETS },
    );
    this.#news = [];
    const [whole = new Uint8Array(0)] = encodeClaims(claims.list());
    this.#options.gossip.tell({ news, isUrgent: this.#isUrgent, whole: new Uint8Array(whole) });
    this.#isUrgent = false;
  }
}

const MOST_NAMED = 20;
const vipsOf = (claims: readonly Claim[]): string[] => claims.slice(0, MOST_NAMED).map(({ vip }) => vip);
