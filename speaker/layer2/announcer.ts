/**
 * Makes announcements true: sends the worker the difference between what it does and what is wanted, and waits until it
 * was done. A worker that died is started again with the next update.
 */
import type { Cancel, Clock } from "#common/clock.ts";
import { describeError } from "#common/error.ts";
import type { Logger } from "#common/log.ts";
import type { Attractor, Wanted } from "#speaker/parts.ts";
import { startThread } from "../thread.ts";
import type {
  Announcement,
  Conflict,
  FromWorker,
  LinkIdentity,
  LinkProblem,
  ResponderCounts,
  Rules,
  ToWorker,
} from "./messages.ts";

export interface WorkerLike {
  postMessage(message: ToWorker): void;
  on(event: "message", listener: (message: FromWorker) => void): unknown;
  on(event: "error", listener: (error: unknown) => void): unknown;
  on(event: "exit", listener: (code: number) => void): unknown;
  terminate(): Promise<number>;
}

export interface AnnouncerOptions {
  readonly clock: Pick<Clock, "after">;
  readonly log: Logger;
  readonly spawn: () => WorkerLike;
  /** The worker died, or a link failed: `update` should be called again. */
  readonly onTrouble: () => void;
  /** What changed about addresses that foreign stations use. `contested` has all of them. */
  readonly onConflicts: (conflicts: readonly Conflict[]) => void;
  /** Other nodes of ours announce these addresses, too. */
  readonly onOverlaps: (vips: readonly string[]) => void;
}

type AnnouncerErrorCode = "WorkerEnded" | "WorkerSilent" | "WorkerStarting";

/** The worker did not do what it was asked to. */
export class AnnouncerError extends Error {
  override readonly name = "AnnouncerError";
  readonly code: AnnouncerErrorCode;
  constructor(code: AnnouncerErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

const ANSWER_MS = 5_000;
/** A node that is starved of its processors, or has a limit of them, may take long to start a thread. */
const START_MS = 60_000;
const NO_COUNTS: ResponderCounts = {
  arp: 0,
  ndp: 0,
  unasked: 0,
  lost: 0,
  retried: 0,
  conflicts: 0,
  overlaps: 0,
  announced: 0,
  groups: 0,
  refusedGroups: 0,
};

export function spawnWorker(): WorkerLike {
  return startThread({ from: import.meta.url, bundle: "speaker-worker", youngMb: 1, oldMb: 24 });
}

interface Waiting {
  resolve(): void;
  reject(error: Error): void;
  readonly cancel: Cancel;
}

type Reply = Extract<FromWorker, { sequence: number }>;

export class Announcer implements Attractor {
  readonly #options: AnnouncerOptions;
  readonly #held = new Map<string, Set<string>>();
  readonly #waiting = new Map<
    number,
    { resolve(reply: Reply): void; reject(error: Error): void; cancel: Cancel }
  >();
  #links: readonly LinkIdentity[] = [];
  #worker: WorkerLike | undefined;
  /** Until the worker is ready: who waits for it, and the end of its patience. */
  #start: { readonly waiting: Set<Waiting>; readonly cancel: Cancel } | undefined;
  #sequence = 0;
  #problems: readonly LinkProblem[] = [];
  #rules: Rules | undefined;
  #rulesText = "";
  /** By link and address. */
  readonly #contested = new Map<string, Conflict>();

  constructor(options: AnnouncerOptions) {
    this.#options = options;
  }

  /** Links that the last update could not open. */
  get problems(): readonly LinkProblem[] {
    return this.#problems;
  }

  /** What is announced now. */
  held(): Wanted {
    return this.#held;
  }

  /** Addresses that foreign stations use at present. */
  contested(): Conflict[] {
    return [...this.#contested.values()];
  }

  /** Holds from now on, also for a worker that is started later. */
  rule(rules: Rules): void {
    const text = JSON.stringify(rules);
    if (text === this.#rulesText) return;
    this.#rulesText = text;
    this.#rules = rules;
    this.#worker?.postMessage({ type: "rule", rules });
  }

  /** Withdraws what is not wanted and adds nothing. Resolves when the worker has stopped answering. */
  async withdrawOthers(wanted: Wanted): Promise<Announcement[]> {
    const remove = difference(this.#held, wanted);
    if (remove.length > 0) await this.#update([], remove, this.#links);
    return remove;
  }

  /** Announces exactly `wanted`. Resolves to what was added when the worker answers for it. */
  async set(links: readonly LinkIdentity[], wanted: Wanted): Promise<Announcement[]> {
    const remove = difference(this.#held, wanted);
    const add = difference(wanted, this.#held);
    const isSame = add.length === 0 && remove.length === 0 && sameLinks(links, this.#links);
    if (isSame && this.#problems.length === 0 && this.#worker !== undefined) return [];
    if (this.#worker === undefined && links.length === 0 && add.length === 0) return [];
    await this.#update(add, remove, links);
    return add;
  }

  async counts(): Promise<ResponderCounts> {
    if (this.#worker === undefined) return NO_COUNTS;
    const reply = await this.#ask((sequence) => ({ type: "count", sequence }));
    return reply.type === "counts" ? reply.counts : NO_COUNTS;
  }

  async close(): Promise<void> {
    const worker = this.#worker;
    this.#forget(new AnnouncerError("WorkerEnded", "the announcer was closed"));
    if (worker === undefined) return;
    worker.postMessage({ type: "close" });
    await worker.terminate();
  }

  async #update(
    add: readonly Announcement[],
    remove: readonly Announcement[],
    links: readonly LinkIdentity[],
  ): Promise<void> {
    const reply = await this.#ask((sequence) => ({ type: "update", sequence, links, add, remove }));
    for (const { link, vip } of remove) {
      this.#held.get(link)?.delete(vip);
      this.#contested.delete(placeOf({ link, vip }));
    }
    for (const { link, vip } of add) {
      const vips = this.#held.get(link);
      if (vips === undefined) this.#held.set(link, new Set([vip]));
      else vips.add(vip);
    }
    for (const [link, vips] of this.#held) if (vips.size === 0) this.#held.delete(link);
    this.#links = links;
    if (reply.type === "done") this.#problems = reply.problems;
  }

  async #ask(message: (sequence: number) => ToWorker): Promise<Reply> {
    const worker = this.#started();
    if (this.#start !== undefined) await this.#untilReady(this.#start.waiting);
    this.#sequence += 1;
    const sequence = this.#sequence;
    return new Promise((resolve, reject) => {
      const cancel = this.#options.clock.after(ANSWER_MS, () => {
        // A silent worker may go on answering for addresses that have moved. It is ended, because no answer is better
        // than a wrong one.
        this.#forget(new AnnouncerError("WorkerSilent", `the worker did not answer for ${ANSWER_MS} ms`));
        void worker.terminate();
      });
      this.#waiting.set(sequence, { resolve, reject, cancel });
      worker.postMessage(message(sequence));
    });
  }

  /** A worker that starts answers for nothing yet: it is left to start, and nothing that it would do later is asked. */
  #untilReady(starting: Set<Waiting>): Promise<void> {
    return new Promise((resolve, reject) => {
      const cancel = this.#options.clock.after(ANSWER_MS, () => {
        starting.delete(waiting);
        reject(new AnnouncerError("WorkerStarting", `the worker has not started after ${ANSWER_MS} ms`));
      });
      const waiting = { resolve, reject, cancel };
      starting.add(waiting);
    });
  }

  #hasStarted(): void {
    const start = this.#start;
    this.#start = undefined;
    start?.cancel();
    for (const { resolve, cancel } of start?.waiting ?? []) {
      cancel();
      resolve();
    }
  }

  #started(): WorkerLike {
    if (this.#worker !== undefined) return this.#worker;
    const worker = this.#options.spawn();
    this.#worker = worker;
    const cancel = this.#options.clock.after(START_MS, () => {
      this.#forget(new AnnouncerError("WorkerSilent", `the worker did not start for ${START_MS} ms`));
      void worker.terminate();
    });
    this.#start = { waiting: new Set(), cancel };
    worker.on("message", (message) => this.#take(message));
    worker.on("error", (error) => this.#ended(worker, error));
    worker.on("exit", (code) => this.#ended(worker, new Error(`exit code ${code}`)));
    if (this.#rules !== undefined) worker.postMessage({ type: "rule", rules: this.#rules });
    return worker;
  }

  #take(message: FromWorker): void {
    switch (message.type) {
      case "ready":
        this.#hasStarted();
        return;
      case "done":
      case "counts": {
        const waiting = this.#waiting.get(message.sequence);
        this.#waiting.delete(message.sequence);
        waiting?.cancel();
        waiting?.resolve(message);
        return;
      }
      case "problem":
        this.#options.log.debug("a link failed", { ...message.problem });
        return;
      case "conflicts":
        this.#conflict(message.conflicts);
        return;
      case "overlaps":
        this.#options.onOverlaps(message.vips);
        return;
    }
  }

  /** What was withdrawn while the word was on its way is no conflict any more. */
  #conflict(conflicts: readonly Conflict[]): void {
    const held = conflicts.filter(({ link, vip }) => this.#held.get(link)?.has(vip));
    for (const conflict of held) {
      if (conflict.state === "over") this.#contested.delete(placeOf(conflict));
      else this.#contested.set(placeOf(conflict), conflict);
    }
    if (held.length > 0) this.#options.onConflicts(held);
  }

  #ended(worker: WorkerLike, error: unknown): void {
    if (worker !== this.#worker) return;
    this.#options.log.error("the layer 2 worker ended", { error: describeError(error) });
    this.#forget(new AnnouncerError("WorkerEnded", "the layer 2 worker ended", { cause: error }));
    this.#options.onTrouble();
  }

  #forget(error: AnnouncerError): void {
    this.#worker = undefined;
    this.#held.clear();
    this.#contested.clear();
    this.#links = [];
    this.#problems = [];
    this.#start?.cancel();
    for (const { reject, cancel } of [...(this.#start?.waiting ?? []), ...this.#waiting.values()]) {
      cancel();
      reject(error);
    }
    this.#start = undefined;
    this.#waiting.clear();
  }
}

const placeOf = ({ link, vip }: Announcement): string => `${link} ${vip}`;

/** What `a` has and `b` has not. */
function difference(a: Wanted, b: Wanted): Announcement[] {
  const only: Announcement[] = [];
  for (const [link, vips] of a) {
    const others = b.get(link);
    for (const vip of vips) if (others?.has(vip) !== true) only.push({ link, vip });
  }
  return only;
}

function sameLinks(a: readonly LinkIdentity[], b: readonly LinkIdentity[]): boolean {
  return (
    a.length === b.length &&
    a.every((link, at) => {
      const other = b[at];
      return link.name === other?.name && link.index === other.index && link.hardware === other.hardware;
    })
  );
}
