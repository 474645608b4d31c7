/** Whether this node does its work, what keeps it from it, and whether the next node's speaker may be replaced. */
import { andMore } from "#api/and-more.ts";
import type { Applied, Trouble } from "./apply.ts";
import type { Encapsulation } from "./forwarding/encapsulation.ts";
import type { KernelRefusal, SyncTrouble, TunnelTrouble } from "./forwarding/types.ts";
import type { LinkProblem } from "./layer2/messages.ts";
import type { Role } from "./plan/role.ts";

const NONE: readonly Encapsulation[] = [];

export class Readiness {
  #isReady = false;
  #isCounted = false;
  #refused: readonly KernelRefusal[] = [];
  #lastWrites = 0;
  #syncTrouble: SyncTrouble | undefined | null = null;
  #tunnelTrouble: TunnelTrouble | undefined | null = null;
  #offered: readonly Encapsulation[] = NONE;
  #forwardingTrouble: Trouble | undefined;
  #announcingTrouble: Trouble | undefined;

  /** The kernel was programmed and read back, and frames can be sent. */
  get isReady(): boolean {
    return this.#isReady;
  }

  /**
   * The plan counts this node among the live ones. It does so only after this node's Lease came back from the API
   * server.
   */
  get isCounted(): boolean {
    return this.#isCounted;
  }

  /** What the kernel did not take of single Services, in the last pass that came through. */
  get refused(): readonly KernelRefusal[] {
    return this.#refused;
  }

  /** The changes of the last pass that wrote anything. */
  get lastWrites(): number {
    return this.#lastWrites;
  }

  /** Why connections are not shared, as of the last pass that could be made; null: there was none. */
  get syncTrouble(): SyncTrouble | undefined | null {
    return this.#syncTrouble;
  }

  /** Why no tunnel ends here as asked, as of the last pass that could be made; null: there was none. */
  get tunnelTrouble(): TunnelTrouble | undefined | null {
    return this.#tunnelTrouble;
  }

  /** Tunnels beside ipip that others may send here. */
  get offered(): readonly Encapsulation[] {
    return this.#offered;
  }

  get forwardingTrouble(): Trouble | undefined {
    return this.#forwardingTrouble;
  }

  get announcingTrouble(): Trouble | undefined {
    return this.#announcingTrouble;
  }

  get troubles(): Trouble[] {
    return [this.#forwardingTrouble, this.#announcingTrouble].filter((trouble) => trouble !== undefined);
  }

  /** A node that was counted once stays counted: cut off from the API server, it goes on. */
  count(isLive: boolean): void {
    this.#isCounted ||= isLive;
  }

  /** What the last pass that came through has found. */
  found(
    applied: Applied,
    announcing: {
      /** Why frames cannot be sent at all. */
      readonly cannotSend: Trouble | undefined;
      readonly problems: readonly LinkProblem[];
      readonly poolsWithoutLink: readonly string[];
    },
  ): void {
    // What a pass that gave way has not come to may still be as it was found.
    const known = applied.isComplete ? undefined : this.#forwardingTrouble;
    this.#forwardingTrouble = applied.forwardingTrouble ?? conflictOf(applied) ?? known;
    this.#announcingTrouble = announcing.cannotSend ?? linkTrouble(announcing);
    const hasForwarded = applied.forwardingTrouble === undefined;
    if (hasForwarded && (applied.isComplete || applied.reconciled !== undefined))
      this.#refused = applied.reconciled?.refused ?? [];
    if (applied.reconciled !== undefined) {
      this.#syncTrouble = applied.reconciled.syncTrouble;
      this.#tunnelTrouble = applied.reconciled.tunnelTrouble;
      this.#offered = applied.reconciled.offered ?? NONE;
    }
    const writes = applied.reconciled?.writes ?? 0;
    if (writes > 0) this.#lastWrites = writes;
    const canSend = announcing.cannotSend === undefined;
    // A fault of one moment does not end the readiness of a node that was ready.
    const isMade = hasForwarded && applied.isComplete && applied.reconciled?.isGathering !== true;
    this.#isReady = canSend && !applied.isUnable && (isMade || this.#isReady);
  }

  /** This node has nothing to do any more; `error`: what of ours is still in the kernel, and why. */
  left(error?: Trouble): void {
    this.#isReady = false;
    this.#refused = [];
    this.#syncTrouble = null;
    this.#tunnelTrouble = null;
    this.#offered = NONE;
    this.#announcingTrouble = undefined;
    this.#forwardingTrouble = error;
  }

  /**
   * Why the next node's speaker should not be replaced yet: this one does not do its work, and may come to do it.
   * Undefined when it does, and when it has reported why it cannot: waiting would not help.
   */
  unsettled(role: Role): string | undefined {
    if (role !== "Active" || this.troubles.length > 0) return undefined;
    if (!this.#isReady) return "the kernel is not programmed yet, or has not heard of all connections";
    return this.#isCounted ? undefined : "this node's Lease has not come back from the API server yet";
  }
}

/** A conflict that blocks only some ports leaves the node ready. */
function conflictOf({ reconciled }: Applied): Trouble | undefined {
  const [first, ...others] = reconciled?.conflicts ?? [];
  if (first === undefined) return undefined;
  return {
    reason: "ForeignService",
    message: `${first}${andMore(others.length)}: their ports are not forwarded by this node until it is gone (ipvsadm -Ln shows it)`,
  };
}

function linkTrouble(of: {
  readonly problems: readonly LinkProblem[];
  readonly poolsWithoutLink: readonly string[];
}): Trouble | undefined {
  const [problem] = of.problems;
  if (problem !== undefined) {
    const reason = problem.code === "EPERM" ? "NotPermitted" : "LinkFailed";
    return { reason, message: `link ${problem.link}: ${problem.message}` };
  }
  if (of.poolsWithoutLink.length === 0) return undefined;
  return { reason: "NoLink", message: `no link that is up for pool ${of.poolsWithoutLink.join(", ")}` };
}
