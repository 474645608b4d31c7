/**
 * Makes a plan true, in the order that loses nothing: withdraw what is not ours any more; take over the addresses that the
 * kernel was read back with before (a takeover waits for nothing); program and read back the kernel; only then announce
 * the rest. What is announced stays so over a pass that failed, unless this node cannot forward at all.
 */
import type { TroubleReason } from "#api/v1beta1/event-reasons.ts";
import type { Reason } from "#api/v1beta1/reasons.ts";
import { errorText } from "#common/error.ts";
import type { Logger } from "#common/log.ts";
import {
  type ForwardingCounts,
  ForwardingError,
  type ForwardingFault,
  type ForwardingInput,
  type Reconciled,
} from "./forwarding/types.ts";
import { AnnouncerError, type Wanted } from "./layer2/announcer.ts";
import type { Announcement, LinkIdentity, LinkProblem } from "./layer2/messages.ts";

/** Programs the kernel; speaker/forwarding is the real one. */
export interface Forwarder {
  reconcile(input: ForwardingInput): Promise<Reconciled>;
  /** Takes away everything that is ours, and puts back the sysctls; does nothing where nothing is. */
  remove(): Promise<void>;
  counts(): ForwardingCounts;
  /** What in the kernel is not as wanted at present, for people; undefined where nothing was forwarded yet. */
  difference(): unknown;
  /** Leaves what is in the kernel, and looks after it no more. */
  close(): void;
}

/** Answers for addresses; layer2/announcer.ts is the real one. */
export interface Attractor {
  readonly problems: readonly LinkProblem[];
  held(): Wanted;
  withdrawOthers(wanted: Wanted): Promise<Announcement[]>;
  set(links: readonly LinkIdentity[], wanted: Wanted): Promise<Announcement[]>;
}

/** Why something does not work: a condition's reason and message. */
export interface Trouble<R extends Reason = TroubleReason> {
  readonly reason: R;
  readonly message: string;
}

export interface Applied {
  readonly added: readonly Announcement[];
  readonly withdrawn: readonly Announcement[];
  /** Undefined in mode KubeProxy, and after a failure. */
  readonly reconciled?: Reconciled;
  readonly forwardingTrouble?: Trouble;
  /** The trouble will not pass by itself: this node attracts nothing. */
  readonly isUnable: boolean;
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
const NOTHING_FORWARDED = { vips: [], set: new Set<string>() };

export class Applier {
  readonly #forwarder: Forwarder;
  readonly #attractor: Attractor;
  readonly #log: Logger;
  /** Whether something of ours may be in the kernel; unknown at the start. */
  #mayForward = true;
  /** Addresses of the last plan that the kernel was read back with. */
  #forwarded: { readonly vips: readonly string[]; readonly set: ReadonlySet<string> } = NOTHING_FORWARDED;

  constructor(options: { forwarder: Forwarder; attractor: Attractor; log: Logger }) {
    this.#forwarder = options.forwarder;
    this.#attractor = options.attractor;
    this.#log = options.log;
  }

  /** `input` undefined: mode KubeProxy, ours is taken away. Throws AnnouncerError. */
  async apply(
    wanted: Wanted,
    links: readonly LinkIdentity[],
    input: ForwardingInput | undefined,
  ): Promise<Applied> {
    const withdrawn = await this.#attractor.withdrawOthers(wanted);
    const taken = await this.#takeOver(wanted, links, input);
    try {
      const reconciled =
        input === undefined ? await this.#takeAway() : await this.#forwarder.reconcile(input);
      if (input !== undefined) this.#nowForwards(input);
      const added = [...taken, ...(await this.#attractor.set(links, wanted))];
      return { added, withdrawn, isUnable: false, ...(reconciled && { reconciled }) };
    } catch (error) {
      if (error instanceof AnnouncerError) throw error;
      return this.#afterFailure(this.#faultOf(error), { withdrawn, taken });
    }
  }

  /** The kernel was read back with the address, in this pass or in an earlier one. */
  isForwarded(vip: string): boolean {
    return this.#forwarded.set.has(vip);
  }

  /** What the kernel forwards already is announced before a pass that may take long, or fail. */
  async #takeOver(
    wanted: Wanted,
    links: readonly LinkIdentity[],
    input: ForwardingInput | undefined,
  ): Promise<Announcement[]> {
    if (input === undefined) return [];
    const held = this.#attractor.held();
    const sound = [...wanted].map(([link, vips]): [string, Set<string>] => [
      link,
      new Set([...vips].filter((vip) => this.isForwarded(vip) || held.get(link)?.has(vip) === true)),
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

  #nowForwards({ vips }: ForwardingInput): void {
    this.#mayForward = true;
    if (this.#forwarded.vips !== vips) this.#forwarded = { vips, set: new Set(vips) };
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
    return { added: pass.taken, withdrawn: [...pass.withdrawn, ...more], forwardingTrouble, isUnable };
  }
}

/** Whether something is wanted that is not held yet. */
function hasMore(wanted: Wanted, held: Wanted): boolean {
  return [...wanted].some(([link, vips]) => [...vips].some((vip) => held.get(link)?.has(vip) !== true));
}
