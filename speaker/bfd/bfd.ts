/** BFD as the speaker sees it: tells the thread which peers are wanted, passes on what it says, starts it anew if it ends. */
import type { Cancel, Clock } from "#common/clock.ts";
import { describeError } from "#common/error.ts";
import type { Logger } from "#common/log.ts";
import { startThread } from "../thread.ts";
import type { FloorPolicy } from "./floor.ts";
import type { BfdDiscards, BfdWorkerData, FromBfdWorker, ToBfdWorker } from "./messages.ts";
import type { Bfd, BfdChange, BfdPeer, BfdReport, BfdScheduling } from "./types.ts";

export interface BfdWorkerLike {
  postMessage(message: ToBfdWorker): void;
  on(event: "message", listener: (message: FromBfdWorker) => void): unknown;
  on(event: "error", listener: (error: unknown) => void): unknown;
  on(event: "exit", listener: (code: number) => void): unknown;
  terminate(): Promise<number>;
}

export interface BfdOptions {
  readonly clock: Pick<Clock, "after" | "date">;
  readonly log: Logger;
  /** Ask for real-time scheduling; true unless told. */
  readonly fifo?: boolean;
  /** What becomes of timers that cannot be kept without it; "raise" unless told. */
  readonly policy?: FloorPolicy;
  readonly spawn?: (data: BfdWorkerData) => BfdWorkerLike;
}

export interface BfdShell extends Bfd {
  /** Packets that were no session's, by reason, since the thread started. */
  discards(): BfdDiscards;
}

export function spawnBfdWorker(data: BfdWorkerData): BfdWorkerLike {
  const from = import.meta.url;
  return startThread({ from, bundle: "speaker-bfd", youngMb: 4, oldMb: 16, isUrgent: true, data });
}

const ANSWER_MS = 2_000;
const RESTART_MS = 1_000;

export function createBfd(options: BfdOptions): BfdShell {
  return new Shell(options);
}

class Shell implements BfdShell {
  readonly #options: BfdOptions;
  readonly #listeners = new Set<(change: BfdChange) => void>();
  readonly #reports = new Map<string, BfdReport>();
  readonly #waiting = new Map<FromBfdWorker["type"], () => void>();
  #peers: readonly BfdPeer[] = [];
  #worker: BfdWorkerLike | undefined;
  #scheduling: BfdScheduling = { class: "unknown" };
  #discards: BfdDiscards = {};
  #isStopped = false;
  #cancelRestart: Cancel | undefined;

  constructor(options: BfdOptions) {
    this.#options = options;
  }

  get scheduling(): BfdScheduling {
    return this.#scheduling;
  }

  reconcile(peers: readonly BfdPeer[]): void {
    if (this.#isStopped || JSON.stringify(peers) === JSON.stringify(this.#peers)) return;
    this.#peers = peers;
    const keys = new Set(peers.map(({ key }) => key));
    for (const key of this.#reports.keys()) if (!keys.has(key)) this.#reports.delete(key);
    // Without peers there is no thread to pay for; one that runs goes on.
    if (peers.length > 0) this.#start();
    this.#worker?.postMessage({ type: "reconcile", peers });
  }

  onState(callback: (change: BfdChange) => void): () => void {
    this.#listeners.add(callback);
    return () => void this.#listeners.delete(callback);
  }

  sessions(): readonly BfdReport[] {
    const known = this.#peers.map(({ key }) => this.#reports.get(key));
    return known.filter((report) => report !== undefined);
  }

  discards(): BfdDiscards {
    return this.#discards;
  }

  async adminDown(): Promise<void> {
    if (this.#worker !== undefined) await this.#ask("adminDown", "adminDown");
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancelRestart?.();
    const worker = this.#worker;
    if (worker === undefined) return;
    await this.#ask("close", "closed");
    this.#worker = undefined;
    await worker.terminate();
  }

  /** Resolves with the answer, or after a time: a thread that does not answer holds nothing up. */
  #ask(type: "adminDown" | "close", answer: FromBfdWorker["type"]): Promise<void> {
    return new Promise((resolve) => {
      const finish = (): void => {
        cancel();
        this.#waiting.delete(answer);
        resolve();
      };
      const cancel = this.#options.clock.after(ANSWER_MS, () => {
        this.#options.log.warn("the BFD thread does not answer", { event: "bfdThreadSilent", asked: type });
        finish();
      });
      this.#waiting.set(answer, finish);
      this.#worker?.postMessage({ type });
    });
  }

  #start(): void {
    if (this.#worker !== undefined) return;
    const { spawn = spawnBfdWorker, fifo = true, policy = "raise", log } = this.#options;
    const worker = spawn({ fifo, policy });
    this.#worker = worker;
    worker.on("message", (message) => this.#receive(message));
    worker.on("error", (error) => {
      log.error("the BFD thread failed", { event: "bfdThreadFailed", error: describeError(error) });
    });
    worker.on("exit", (code) => this.#ended(worker, code));
  }

  #ended(worker: BfdWorkerLike, code: number): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    for (const finish of [...this.#waiting.values()]) finish();
    this.#reports.clear();
    if (this.#isStopped) return;
    const { log, clock } = this.#options;
    log.error("the BFD thread ended, it is started again", { event: "bfdThreadEnded", code });
    this.#cancelRestart = clock.after(RESTART_MS, () => {
      if (this.#peers.length === 0) return;
      this.#start();
      this.#worker?.postMessage({ type: "reconcile", peers: this.#peers });
    });
  }

  #receive(message: FromBfdWorker): void {
    switch (message.type) {
      case "scheduling":
        this.#scheduled(message.scheduling);
        return;
      case "change":
        this.#changed(message.change, message.report);
        return;
      case "reports":
        this.#discards = message.discards;
        for (const report of message.reports) this.#reports.set(report.key, report);
        return;
      case "adminDown":
      case "closed":
        this.#waiting.get(message.type)?.();
        return;
    }
  }

  #scheduled(scheduling: BfdScheduling): void {
    this.#scheduling = scheduling;
    this.#options.log.info("the BFD thread runs", { event: "bfdThread", ...scheduling });
  }

  #changed(change: BfdChange, report: BfdReport): void {
    if (this.#peers.some(({ key }) => key === report.key)) this.#reports.set(report.key, report);
    const { key: peer, ...rest } = change;
    this.#options.log.info("a BFD session changed", { event: "bfdState", peer, ...rest });
    for (const listener of this.#listeners) listener(change);
  }
}
