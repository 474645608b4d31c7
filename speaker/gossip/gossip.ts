/**
 * Gossip as the speaker sees it: tells the thread which member this node is to be and who the others are, keeps what it
 * says of them, and starts it anew if it ends.
 */
import type { Cancel, Clock } from "#common/clock.ts";
import { describeError } from "#common/error.ts";
import type { Logger } from "#common/log.ts";
import { startThread } from "../thread.ts";
import type { FromGossipWorker, GossipPlace, ToGossipWorker } from "./messages.ts";
import { type GossipCounts, isUp, type Peer, type Telling, type Told } from "./types.ts";
import type { MemberState } from "./wire/stream.ts";

export interface GossipWorkerLike {
  postMessage(message: ToGossipWorker): void;
  on(event: "message", listener: (message: FromGossipWorker) => void): unknown;
  on(event: "error", listener: (error: unknown) => void): unknown;
  on(event: "exit", listener: (code: number) => void): unknown;
  terminate(): Promise<number>;
}

export interface GossipOptions {
  readonly clock: Pick<Clock, "after" | "now">;
  readonly log: Logger;
  readonly spawn?: () => GossipWorkerLike;
  /** Somebody is thought otherwise of, gossip runs or does not, or a peer told all that it knows. */
  readonly onChange: () => void;
  readonly onTold: (told: Told) => void;
}

/** What this node is to be. */
export interface GossipWanted extends GossipPlace {
  /** The first one writes. */
  readonly keys: readonly Uint8Array[];
  readonly peers: readonly Peer[];
}

/** What is thought of a member; times by the clock of the main thread. */
export interface Heard {
  readonly state: MemberState;
  /** Since when. */
  readonly at: number;
  /** When it was last dead or had left, if ever. */
  readonly downAt: number | undefined;
}

export interface GossipView {
  /** Why gossip does not run; undefined: it does. */
  readonly problem: string | undefined;
  /** Everybody that was heard since it runs, without ourselves; nobody while it does not run. */
  readonly members: ReadonlyMap<string, Heard>;
  /** When somebody was heard after nobody was; undefined: nobody ever was. */
  readonly contactAt: number | undefined;
  /** When a peer last told all that it knows. */
  readonly joinedAt: number | undefined;
}

const ANSWER_MS = 1_000;
const AGAIN_MS = 2_000;
const NOT_STARTED = "it has not started yet";

function spawnGossipWorker(): GossipWorkerLike {
  const from = import.meta.url;
  return startThread({ from, bundle: "speaker-gossip", youngMb: 2, oldMb: 24, isUrgent: true });
}

export class GossipThread {
  readonly #options: GossipOptions;
  readonly #members = new Map<string, Heard>();
  #worker: GossipWorkerLike | undefined;
  #wanted: GossipWanted | undefined;
  #problem: string | undefined = NOT_STARTED;
  #counts: GossipCounts | undefined;
  #health = 0;
  #cancelAgain: Cancel | undefined;
  #waiting: (() => void) | undefined;
  #isClosed = false;
  #contactAt: number | undefined;
  #joinedAt: number | undefined;
  #whole = new Uint8Array(0);

  constructor(options: GossipOptions) {
    this.#options = options;
  }

  get view(): GossipView {
    const [contactAt, joinedAt] = [this.#contactAt, this.#joinedAt];
    return { problem: this.#problem, members: this.#members, contactAt, joinedAt };
  }

  /** As of some seconds ago; undefined before it ran. */
  get counts(): (GossipCounts & { readonly health: number }) | undefined {
    return this.#counts === undefined ? undefined : { ...this.#counts, health: this.#health };
  }

  /** This from now on; undefined: nothing, without a word to the others. */
  configure(wanted: GossipWanted | undefined): void {
    if (this.#isClosed) return;
    const before = this.#wanted;
    this.#wanted = wanted;
    if (wanted === undefined) {
      if (before !== undefined) this.#stop({ type: "close" });
      return;
    }
    if (before === undefined || !isSame(placeOf(before), placeOf(wanted))) {
      this.#open(wanted);
      return;
    }
    const { keys, peers } = wanted;
    if (!isSame(before.keys, keys)) this.#worker?.postMessage({ type: "keys", keys });
    if (isSame(before.peers, peers)) return;
    const names = new Set(peers.map(({ name }) => name));
    for (const name of this.#members.keys()) if (!names.has(name)) this.#members.delete(name);
    this.#worker?.postMessage({ type: "peers", peers });
  }

  tell(telling: Telling): void {
    this.#whole = telling.whole;
    if (this.#problem === undefined) this.#worker?.postMessage({ type: "tell", telling });
  }

  /** To one member, once: it may be lost. */
  say(to: string, messages: readonly Uint8Array[]): void {
    if (messages.length > 0 && this.#problem === undefined)
      this.#worker?.postMessage({ type: "say", to, messages });
  }

  /** News beside what `tell` tells of. */
  addNews(news: readonly Uint8Array[], isUrgent: boolean): void {
    this.tell({ news, isUrgent, whole: this.#whole });
  }

  /** Says goodbye to the others. Resolves when it was sent, or after a moment: nothing waits for a thread in trouble. */
  async leave(): Promise<void> {
    if (this.#wanted === undefined || this.#worker === undefined) return;
    this.#wanted = undefined;
    const worker = this.#worker;
    await this.#ask(() => this.#stop({ type: "leave" }, worker));
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelAgain?.();
    const worker = this.#worker;
    if (worker === undefined) return;
    await this.#ask(() => worker.postMessage({ type: "end" }));
    this.#worker = undefined;
    await worker.terminate();
  }

  #ask(ask: () => void): Promise<void> {
    return new Promise((resolve) => {
      const finish = (): void => {
        cancel();
        this.#waiting = undefined;
        resolve();
      };
      const cancel = this.#options.clock.after(ANSWER_MS, finish);
      this.#waiting = finish;
      ask();
    });
  }

  #stop(message: ToGossipWorker, worker = this.#worker): void {
    this.#cancelAgain?.();
    worker?.postMessage(message);
    this.#fail("this node takes no part in it");
  }

  #open({ keys, peers, ...rest }: GossipWanted): void {
    this.#cancelAgain?.();
    this.#fail(NOT_STARTED);
    const worker = this.#started();
    worker.postMessage({ type: "open", place: placeOf(rest), keys, peers });
    worker.postMessage({ type: "tell", telling: { news: [], isUrgent: true, whole: this.#whole } });
  }

  #started(): GossipWorkerLike {
    if (this.#worker !== undefined) return this.#worker;
    const { spawn = spawnGossipWorker, log } = this.#options;
    const worker = spawn();
    this.#worker = worker;
    worker.on("message", (message) => {
      if (worker === this.#worker) this.#take(message);
    });
    worker.on("error", (error) => {
      log.error("the gossip thread failed", { event: "gossipThreadFailed", error: describeError(error) });
    });
    worker.on("exit", (code) => this.#ended(worker, code));
    return worker;
  }

  #ended(worker: GossipWorkerLike, code: number): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    this.#waiting?.();
    if (this.#isClosed) return;
    this.#options.log.error("the gossip thread ended, it is started again", {
      event: "gossipThreadEnded",
      code,
    });
    this.#fail("its thread has ended");
    this.#again();
  }

  #again(): void {
    this.#cancelAgain?.();
    this.#cancelAgain = this.#options.clock.after(AGAIN_MS, () => {
      if (this.#wanted !== undefined) this.#open(this.#wanted);
    });
  }

  #take(message: FromGossipWorker): void {
    const { clock, log, onChange } = this.#options;
    switch (message.type) {
      case "scheduling":
        log.info("the gossip thread runs", { event: "gossipThread", ...message.scheduling });
        return;
      case "opened":
        if (this.#wanted === undefined) return;
        log.info("gossip runs", { event: "gossip", ...this.#wanted.own });
        this.#problem = undefined;
        onChange();
        return;
      case "failed":
        if (this.#problem !== message.message) log.warn("gossip does not run", { error: message.message });
        this.#fail(message.message);
        this.#again();
        return;
      case "changed": {
        const { name, state } = message;
        if (name === this.#wanted?.own.name || this.#problem !== undefined) return;
        const wasAlone = ![...this.#members.values()].some(isUp);
        if (wasAlone && isUp(message)) this.#contactAt = clock.now();
        const downAt = isUp(message) ? this.#members.get(name)?.downAt : clock.now();
        log.debug("gossip thinks otherwise of a member", { member: name, state });
        this.#members.set(name, { state, at: clock.now(), downAt });
        onChange();
        return;
      }
      case "told":
        if (this.#problem === undefined) this.#options.onTold(message.told);
        return;
      case "joined":
        if (this.#problem !== undefined) return;
        this.#joinedAt = clock.now();
        onChange();
        return;
      case "counts":
        this.#counts = message.counts;
        this.#health = message.health;
        return;
      case "left":
      case "ended":
        this.#waiting?.();
        return;
    }
  }

  #fail(problem: string): void {
    const isNews = this.#problem !== problem || this.#members.size > 0;
    this.#problem = problem;
    this.#members.clear();
    this.#contactAt = undefined;
    this.#joinedAt = undefined;
    if (isNews) this.#options.onChange();
  }
}

const placeOf = ({ own, label }: GossipPlace): GossipPlace => ({ own, label });

function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
