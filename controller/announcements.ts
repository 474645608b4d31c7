/**
 * Events on their way to the recorder, whose queue is short: a burst of allocations waits here instead of being
 * dropped there, and holds nothing up.
 */
import type { EventContent, EventRecorder, EventTarget } from "#common/kube/events.ts";
import type { Logger } from "#common/log.ts";

/** Two for each of so many Services that change at once; beyond that the newest are dropped, and that is said once. */
const MAX_WAITING = 50_000;
/** Given to the recorder at once: less than its queue takes. */
const BATCH = 128;

export class Announcements {
  readonly #recorder: Pick<EventRecorder, "emit" | "flush">;
  readonly #log: Logger;
  #waiting: (readonly [EventTarget, EventContent])[] = [];
  #running: Promise<void> | undefined;
  dropped = 0;

  constructor(recorder: Pick<EventRecorder, "emit" | "flush">, log: Logger) {
    this.#recorder = recorder;
    this.#log = log;
  }

  emit(target: EventTarget, content: EventContent): void {
    if (this.#waiting.length >= MAX_WAITING) {
      if (this.dropped === 0)
        this.#log.warn("events are dropped: too many are waiting", { waiting: MAX_WAITING });
      this.dropped += 1;
      return;
    }
    this.#waiting.push([target, content]);
    this.#running ??= this.#drain();
  }

  /** Resolves when nothing is waiting. */
  flush(): Promise<void> {
    return this.#running ?? Promise.resolve();
  }

  async #drain(): Promise<void> {
    // Lets what is emitted in one go be one batch.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.slice(0, BATCH);
      this.#waiting = this.#waiting.slice(BATCH);
      for (const [target, content] of batch) this.#recorder.emit(target, content);
      await this.#recorder.flush();
    }
    this.#running = undefined;
  }
}
