/**
 * Events wait here on their way to the recorder, whose own queue is short. In a burst of allocations none is dropped,
 * none delays a write of an address, and all are emitted when the burst is over. Equal events of an object are merged
 * while they wait; objects and namespaces take turns.
 */
import type { Clock } from "#common/clock.ts";
import type { EventContent, EventRecorder, EventTarget } from "#common/kube/events.ts";
import { FairQueue } from "#common/kube/fair-queue.ts";
import type { Logger } from "#common/log.ts";

/**
 * Two events for each of 25,000 Services that change at once. Beyond that the newest are dropped, which is logged once.
 */
const MAX_WAITING = 50_000;
/** Events of one object that may wait; more are merged into these. */
const MAX_WAITING_OF_ONE = 8;
/** Given to the recorder at once: less than its queue takes. */
const BATCH = 16;
/** Writes are counted over this time. */
const BURST_WINDOW_MS = 250;
/** So many writes in a window are a burst, and events wait for its end. */
const BURST_WRITES = 5;
/** A burst keeps events waiting no longer than this. */
const MAX_DELAY_MS = 30_000;

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
    const end = clock.now() + MAX_DELAY_MS;
    for (let isBurst = true; isBurst && !this.#isEnding && clock.now() < end; ) {
      const before = writes();
      await clock.sleep(BURST_WINDOW_MS);
      isBurst = writes() - before >= BURST_WRITES;
    }
  }
}

/**
 * Merges into the equal event that waits, or, where the object has its share, into the last of the same reason. The
 * newest text counts.
 */
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
