/**
 * Makes a plan true, in the order that loses nothing: withdraw what is not ours any more; take over the addresses that the
 * kernel was read back with before (a takeover waits for nothing); program and read back the kernel; only then announce
 * the rest. What is announced stays so over a pass that failed, unless this node cannot forward at all. A pass that has much to
 * program gives way to the next one, which takes over what it has to, and goes on.
 */
import type { TroubleReason } from "#api/v1beta1/event-reasons.ts";
import type { Reason } from "#api/v1beta1/reasons.ts";
import { errorText } from "#common/error.ts";
import type { Logger } from "#common/log.ts";
import {
  ForwardingError,
  type ForwardingFault,
  type ForwardingInput,
  type Reconciled,
} from "./forwarding/types.ts";
import { AnnouncerError } from "./layer2/announcer.ts";
import type { Announcement, LinkIdentity } from "./layer2/messages.ts";
import type { Attractor, Forwarder, Wanted } from "./parts.ts";

/** Why something does not work: a condition's reason and message. */
export interface Trouble<R extends Reason = TroubleReason> {
  readonly reason: R;
  readonly message: string;
}

type Announcing = Pick<Attractor, "held" | "withdrawOthers" | "set">;

/** What is to be true after a pass. */
export interface Intent {
  readonly wanted: Wanted;
  /** Links of this node that carry it. */
  readonly links: readonly LinkIdentity[];
  /**
   * What the kernel is to forward; undefined: kube-proxy forwards. Asked for once all that can be announced without the
   * kernel is announced: working it out may take long. Its answer is undefined if that gave way to another pass.
   */
  readonly forwarding: (() => Promise<ForwardingInput | undefined>) | undefined;
}

export interface Applied {
  readonly added: readonly Announcement[];
  readonly withdrawn: readonly Announcement[];
  /** Undefined in mode KubeProxy, and after a failure. */
  readonly reconciled?: Reconciled;
  readonly forwardingTrouble?: Trouble;
  /** The trouble will not pass by itself: this node attracts nothing. */
  readonly isUnable: boolean;
  /** False: the pass gave way to another one before the kernel was made to be as planned. */
  readonly isComplete: boolean;
}

/** Faults of the machine; the others are of a moment or of one object. */
const UNABLE: readonly ForwardingFault[] = [
  "NoIpvs",
  "NoScheduler",
  "NoNetAdmin",
  "NoTunnel",
  "NoNftables",
  "SysctlNotWritable",
];
const REASON: Readonly<Record<ForwardingFault, TroubleReason>> = {
  NoIpvs: "IpvsUnavailable",
  NoScheduler: "NoScheduler",
  NoNetAdmin: "NotPermitted",
  NoTunnel: "NoTunnel",
  NoNftables: "NoNftables",
  SysctlNotWritable: "SysctlNotWritable",
  KernelRefused: "KernelRefused",
  NotVerified: "NotVerified",
  Unexpected: "Unexpected",
};

export const NOTHING_WANTED: Wanted = new Map();
const NOTHING_FORWARDED: Forwarded = { vips: [], set: new Set() };

/** Addresses that the kernel was read back with. The same object while they are the same. */
export interface Forwarded {
  readonly vips: readonly string[];
  readonly set: ReadonlySet<string>;
}

export class Applier {
  readonly #forwarder: Forwarder;
  readonly #attractor: Announcing;
  readonly #log: Logger;
  readonly #isDue: () => boolean;
  /** Whether something of ours may be in the kernel; unknown at the start. */
  #mayForward = true;
  /** Addresses of the last plan that the kernel was read back with. */
  #forwarded = NOTHING_FORWARDED;

  /** `isDue`: whether another pass is asked for: what takes long gives way to it. */
  constructor(options: {
    forwarder: Forwarder;
    attractor: Announcing;
    log: Logger;
    isDue: () => boolean;
  }) {
    this.#isDue = options.isDue;
    this.#forwarder = options.forwarder;
    this.#attractor = options.attractor;
    this.#log = options.log;
  }

  /** Without `forwarding` ours is taken away. Throws AnnouncerError, and what `forwarding` throws. */
  async apply({ wanted, links, forwarding }: Intent): Promise<Applied> {
    const withdrawn = await this.#attractor.withdrawOthers(wanted);
    const taken = forwarding === undefined ? [] : await this.#takeOver(wanted, links);
    const input = await forwarding?.();
    if (forwarding !== undefined && input === undefined)
      return { added: taken, withdrawn, isUnable: false, isComplete: false };
    try {
      const reconciled =
        input === undefined ? await this.#takeAway() : await this.#forwarder.reconcile(input, this.#isDue);
      if (input !== undefined && reconciled !== undefined) this.#nowForwards(input, reconciled);
      const isComplete = reconciled?.isComplete ?? true;
      const more = await (isComplete ? this.#attractor.set(links, wanted) : this.#takeOver(wanted, links));
      return {
        ...{ added: [...taken, ...more], withdrawn, isUnable: false, isComplete },
        ...(reconciled && { reconciled }),
      };
    } catch (error) {
      if (error instanceof AnnouncerError) throw error;
      return this.#afterFailure(this.#faultOf(error), { withdrawn, taken });
    }
  }

  /** What the kernel was read back with, in this pass or in an earlier one. */
  get forwarded(): Forwarded {
    return this.#forwarded;
  }

  /** What the kernel forwards already is announced before a pass that may take long, or fail. */
  async #takeOver(wanted: Wanted, links: readonly LinkIdentity[]): Promise<Announcement[]> {
    const held = this.#attractor.held();
    // Most passes have nothing to take over, and must not go through ten thousand addresses twice to find that.
    if (!hasMore(wanted, held)) return [];
    const sound = [...wanted].map(([link, vips]): [string, Set<string>] => [
      link,
      new Set([...vips].filter((vip) => this.#forwarded.set.has(vip) || held.get(link)?.has(vip) === true)),
    ]);
    const now = new Map(sound.filter(([, vips]) => vips.size > 0));
    if (!hasMore(now, held)) return [];
    try {
      return await this.#attractor.set(links, now);
    } catch (error) {
      if (!(error instanceof AnnouncerError)) throw error;
      // It is asked again at the end of the pass, and fails the pass then.
      this.#log.debug("not taken over at once", { error: errorText(error) });
      return [];
    }
  }

  /** A pass that gave way has read back what it came to; what was read back before stays. */
  #nowForwards({ vips }: ForwardingInput, { isComplete, whole }: Reconciled): void {
    this.#mayForward = true;
    const before = this.#forwarded;
    if (before.vips === vips) return;
    const now = isComplete ? vips : vips.filter((vip) => before.set.has(vip) || whole.has(vip));
    if (isComplete || now.length !== before.vips.length || whole.size > 0)
      this.#forwarded = { vips: now, set: new Set(now) };
  }

  /** What nobody foresaw stops no more than what was. */
  #faultOf(error: unknown): ForwardingError {
    if (error instanceof ForwardingError) return error;
    this.#log.error("forwarding failed in a way that is not foreseen", { error });
    return new ForwardingError("Unexpected", errorText(error), { cause: error });
  }

  /** Withdraws everything, then empties the kernel. Throws ForwardingError, AnnouncerError. */
  async remove(): Promise<void> {
    await this.#attractor.withdrawOthers(NOTHING_WANTED);
    await this.#takeAway();
  }

  async #takeAway(): Promise<undefined> {
    this.#forwarded = NOTHING_FORWARDED;
    if (!this.#mayForward) return;
    try {
      await this.#forwarder.remove();
    } catch (error) {
      // Where the kernel cannot forward, nothing of ours can be in it.
      if (!(error instanceof ForwardingError) || error.code !== "NoIpvs") throw error;
      this.#log.debug("nothing to remove", { error: errorText(error) });
    }
    this.#mayForward = false;
  }

  async #afterFailure(
    error: ForwardingError,
    pass: { readonly withdrawn: readonly Announcement[]; readonly taken: readonly Announcement[] },
  ): Promise<Applied> {
    const isUnable = UNABLE.includes(error.code);
    if (isUnable) this.#forwarded = NOTHING_FORWARDED;
    const more = isUnable ? await this.#attractor.withdrawOthers(NOTHING_WANTED) : [];
    const forwardingTrouble = { reason: REASON[error.code], message: errorText(error) };
    const withdrawn = [...pass.withdrawn, ...more];
    return { added: pass.taken, withdrawn, forwardingTrouble, isUnable, isComplete: true };
  }
}

const NOTHING: ReadonlySet<string> = new Set();

/** Whether something is wanted that is not held yet. */
function hasMore(wanted: Wanted, held: Wanted): boolean {
  return [...wanted].some(([link, vips]) => !vips.isSubsetOf(held.get(link) ?? NOTHING));
}
