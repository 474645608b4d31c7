/**
 * Makes a plan true, in the order that loses nothing: withdraw what is not ours any more; program and read back the
 * kernel; only then announce. What is announced stays so over a pass that failed, unless this node cannot forward
 * at all.
 */
import { errorText } from "#common/error.ts";
import type { Logger } from "#common/log.ts";
import {
  type ForwardingCounts,
  ForwardingError,
  type ForwardingFault,
  type ForwardingInput,
  type Reconciled,
} from "./forwarding/types.ts";
import type { Wanted } from "./layer2/announcer.ts";
import type { Announcement, LinkIdentity, LinkProblem } from "./layer2/messages.ts";

/** Programs the kernel; speaker/forwarding is the real one. */
export interface Forwarder {
  reconcile(input: ForwardingInput): Promise<Reconciled>;
  /** Takes away everything that is ours, and puts back the sysctls; does nothing where nothing is. */
  remove(): Promise<void>;
  counts(): ForwardingCounts;
}

/** Answers for addresses; layer2/announcer.ts is the real one. */
export interface Attractor {
  readonly problems: readonly LinkProblem[];
  held(): Wanted;
  withdrawOthers(wanted: Wanted): Promise<Announcement[]>;
  set(links: readonly LinkIdentity[], wanted: Wanted): Promise<Announcement[]>;
}

/** Why something does not work: a condition's reason and message. */
export interface Trouble {
  readonly reason: string;
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
const REASON: Partial<Record<ForwardingFault, string>> = {
  NoIpvs: "IpvsUnavailable",
  NoNetAdmin: "NotPermitted",
};

export const NOTHING_WANTED: Wanted = new Map();

export class Applier {
  readonly #forwarder: Forwarder;
  readonly #attractor: Attractor;
  readonly #log: Logger;
  /** Whether something of ours may be in the kernel; unknown at the start. */
  #mayForward = true;

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
    try {
      const reconciled =
        input === undefined ? await this.#takeAway() : await this.#forwarder.reconcile(input);
      if (input !== undefined) this.#mayForward = true;
      const added = await this.#attractor.set(links, wanted);
      return { added, withdrawn, isUnable: false, ...(reconciled && { reconciled }) };
    } catch (error) {
      if (!(error instanceof ForwardingError)) throw error;
      return this.#afterFailure(error, { wanted, links, withdrawn });
    }
  }

  /** Withdraws everything, then empties the kernel. Throws ForwardingError, AnnouncerError. */
  async remove(): Promise<void> {
    await this.#attractor.withdrawOthers(NOTHING_WANTED);
    await this.#takeAway();
  }

  async #takeAway(): Promise<undefined> {
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
    pass: { wanted: Wanted; links: readonly LinkIdentity[]; withdrawn: Announcement[] },
  ): Promise<Applied> {
    const isUnable = UNABLE.includes(error.code);
    const more = isUnable ? await this.#attractor.withdrawOthers(NOTHING_WANTED) : [];
    const forwardingTrouble = { reason: REASON[error.code] ?? error.code, message: errorText(error) };
    return { added: [], withdrawn: [...pass.withdrawn, ...more], forwardingTrouble, isUnable };
  }
}
