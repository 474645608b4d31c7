/** Tells the others by gossip what this node claims, and takes what they tell. Wiring around ownership.ts. */
import type { Cancel, Clock } from "#common/clock.ts";
import type { Logger } from "#common/log.ts";
import type { GossipThread } from "../gossip/gossip.ts";
import type { Told } from "../gossip/types.ts";
import { GossipError } from "../gossip/wire/error.ts";
import type { ClaimsView } from "../known/view.ts";
import type { Claim } from "./claims.ts";
import {
  claim,
  epochOf,
  hearClaims,
  type Ownership,
  type OwnershipInput,
  startOwnership,
  type Tenure,
} from "./ownership.ts";
import { decodeClaims, encodeClaims } from "./wire.ts";

export interface OwnersOptions {
  readonly node: string;
  readonly clock: Pick<Clock, "after" | "now" | "date">;
  readonly log: Logger;
  readonly gossip: Pick<GossipThread, "tell">;
  readonly isMember: (node: string) => boolean;
  /** Claims that are not kept. */
  readonly onDropped?: (reason: ClaimDrop, count: number) => void;
  /** Somebody claims an address otherwise than before, or there is something to claim. */
  readonly onChange: () => void;
}

/** It cannot be read; it names no node that is known; no Service that is known has the address. */
export type ClaimDrop = "malformed" | "node" | "address";

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
    if (made.length + given.length === 0) return;
    this.#news.push(...made, ...given);
    this.#isUrgent = true;
    this.#sendNews();
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

  /** What a member told. Octets that are no claims are passed over: they may be those of a later release. */
  hear({ from, bytes, isWhole }: Told): void {
    const { log, isMember, onChange, onDropped } = this.#options;
    let heard: Claim[];
    try {
      heard = decodeClaims(bytes, MOST_CLAIMS);
    } catch (error) {
      if (!(error instanceof GossipError)) throw error;
      log.debug("what a member claims cannot be read", { member: from, error: error.message });
      onDropped?.("malformed", 1);
      return;
    }
    const { vips } = this.#ownership;
    const ofNobody = heard.filter(({ node }) => !isMember(node)).length;
    const ofNothing = heard.filter(({ vip }) => !vips.has(vip)).length;
    if (ofNobody > 0) onDropped?.("node", ofNobody);
    if (ofNothing > 0) onDropped?.("address", ofNothing);
    // The first that it hears is what all others know already.
    const isFirst = this.#ownership.claims.size === 0;
    const counting = hearClaims(this.#ownership, heard, isMember);
    if (counting.length === 0) return;
    log.debug("others claim addresses", { member: from, count: counting.length, ips: vipsOf(counting) });
    if (!isFirst) this.#news.push(...counting);
    // After a partition, one of each side learns it all.
    this.#isUrgent ||= isWhole;
    this.#cancel ??= this.#options.clock.after(PASS_ON_MS, () => this.#sendNews());
    onChange();
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
  }

  #sendNews(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    const { claims } = this.#ownership;
    const news = encodeClaims(
      this.#news.filter((one) => claims.of(one.vip) === one),
      MESSAGE_OCTETS,
    );
    this.#news = [];
    const [whole = new Uint8Array(0)] = encodeClaims(claims.list());
    this.#options.gossip.tell({ news, isUrgent: this.#isUrgent, whole: new Uint8Array(whole) });
    this.#isUrgent = false;
  }
}

const MOST_NAMED = 20;
const vipsOf = (claims: readonly Claim[]): string[] => claims.slice(0, MOST_NAMED).map(({ vip }) => vip);
