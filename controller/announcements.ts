/**
 * Events on their way to the recorder, whose queue is short: a burst of allocations waits here instead of being
 * dropped there, holds nothing up, and is told when the addresses are written, which people wait for more.
 */
import type { Clock } from "#common/clock.ts";
import type { EventContent, EventRecorder, EventTarget } from "#common/kube/events.ts";
import type { Logger } from "#common/log.ts";

/** Two for each of so many Services that change at once; beyond that the newest are dropped, and that is said once. */
const MAX_WAITING = 50_000;
/** Given to the recorder at once: less than its queue takes. */
const BATCH = 16;
/** A moment; so many writes in one are a burst; and how long a burst may keep events waiting. */
const MOMENT_MS = 250;
const MANY = 5;
const PATIENCE_MS = 30_000;

export interface AnnouncementsOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /** How many addresses were written so far. */
  readonly writes: () => number;
}

export class Announcements {
  readonly #recorder: Pick<EventRecorder, "emit" | "flush">;
  readonly #options: AnnouncementsOptions;
  readonly #waiting: (readonly [EventTarget, EventContent])[] = [];
  #running: Promise<void> | undefined;
  #isEnding = false;
  dropped = 0;

  constructor(recorder: Pick<EventRecorder, "emit" | "flush">, options: AnnouncementsOptions) {
    this.#recorder = recorder;
    this.#options = options;
  }

  emit(target: EventTarget, content: EventContent): void {
    if (this.#waiting.length >= MAX_WAITING) {
      if (this.dropped === 0)
        this.#options.log.warn("events are dropped: too many are waiting", { waiting: MAX_WAITING });
      this.dropped += 1;
      return;
    }
    this.#waiting.push([target, content]);
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
    while (this.#waiting.length > 0) {
      await this.#turn();
      for (const [target, content] of this.#waiting.splice(0, BATCH)) this.#recorder.emit(target, content);
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
