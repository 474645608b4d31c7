/**
 * Events on their way to the recorder, whose queue is short: a burst of allocations waits here instead of being
 * dropped there, holds nothing up, and is told when the addresses are written, which people wait for more. What is said
 * again of an object while it waits is merged; objects and namespaces take turns.
 */
import type { Clock } from "#common/clock.ts";
import type { EventContent, EventRecorder, EventTarget } from "#common/kube/events.ts";
import { FairQueue } from "#common/kube/fair-queue.ts";
import type { Logger } from "#common/log.ts";

/** Two for each of so many Services that change at once; beyond that the newest are dropped, and that is said once. */
const MAX_WAITING = 50_000;
/** Of one object: more are merged. */
const MAX_WAITING_OF_ONE = 8;
/** Given to the recorder at once: less than its queue takes. */
const BATCH = 16;
/** A moment; so many writes in one are a burst; and how long a burst may keep events waiting. */
const MOMENT_MS = 250;
const MANY = 5;
const PATIENCE_MS = 30_000;

export interface EventQueueOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /** How many addresses were written so far. */
  readonly writes: () => number;
}

interface Waiting {
  readonly target: EventTarget;
  content: EventContent;
  times: number;
}

export class EventQueue {
  readonly #recorder: Pick<EventRecorder, "emit" | "flush">;
  readonly #options: EventQueueOptions;
  readonly #waiting = new FairQueue<Waiting>({ total: MAX_WAITING, perOwner: MAX_WAITING_OF_ONE });
  #running: Promise<void> | undefined;
  #isEnding = false;
  dropped = 0;

  constructor(recorder: Pick<EventRecorder, "emit" | "flush">, options: EventQueueOptions) {
    this.#recorder = recorder;
    this.#options = options;
  }

  emit(target: EventTarget, content: EventContent): void {
    const { name, namespace = "", uid = "" } = target.metadata;
    const object = `${target.kind} ${namespace}/${name} ${uid}`;
    if (merged(this.#waiting.of(namespace, object), content)) return;
    if (!this.#waiting.push(namespace, object, { target, content, times: 1 })) {
      if (this.dropped === 0)
        this.#options.log.warn("events are dropped: too many are waiting", { waiting: MAX_WAITING });
      this.dropped += 1;
      return;
    }
    this.#running ??= this.#drain();
  }

  /** Resolves when nothing is waiting; from now on nothing is more urgent. */
  flush(): Promise<void> {
    this.#isEnding = true;
    return this.#running ?? Promise.resolve();
  }

  async #drain(): Promise<void> {
    // Lets what is emitted in one go be one batch.
    await Promise.resolve();
    while (this.#waiting.size > 0) {
      await this.#turn();
      for (let count = 0; count < BATCH; count += 1) {
        const next = this.#waiting.shift();
        if (next === undefined) break;
        this.#recorder.emit(next.target, next.content, next.times);
      }
      await this.#recorder.flush();
    }
    this.#running = undefined;
  }

  async #turn(): Promise<void> {
    const { clock, writes } = this.#options;
    const end = clock.now() + PATIENCE_MS;
    for (let isBurst = true; isBurst && !this.#isEnding && clock.now() < end; ) {
      const before = writes();
      await clock.sleep(MOMENT_MS);
      isBurst = writes() - before >= MANY;
    }
  }
}

/** Into the same that waits; where no more of the object may wait, into the last like it. What is said last counts. */
function merged(waiting: readonly Waiting[], content: EventContent): boolean {
  const isLike = ({ content: { type, reason } }: Waiting): boolean =>
    type === content.type && reason === content.reason;
  const same = waiting.find((each) => isLike(each) && each.content.message === content.message);
  const into =
    same ?? (waiting.length < MAX_WAITING_OF_ONE ? undefined : (waiting.findLast(isLike) ?? waiting.at(-1)));
  if (into === undefined) return false;
  into.content = content;
  into.times += 1;
  return true;
}
