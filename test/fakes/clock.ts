/** Time that moves only when the test says so. */
import { type Cancel, type Clock, sleepWith } from "#common/clock.ts";

interface Timer {
  readonly at: number;
  readonly order: number;
  readonly fn: () => void;
}

export class FakeClock implements Clock {
  readonly #startDate: number;
  readonly #timers = new Set<Timer>();
  #now = 0;
  #order = 0;

  /** `date()` starts at `startDate`; `now()` at 0. */
  constructor(startDate = "2026-01-01T00:00:00.000Z") {
    this.#startDate = Date.parse(startDate);
  }

  now(): number {
    return this.#now;
  }

  date(): Date {
    return new Date(this.#startDate + this.#now);
  }

  after(ms: number, fn: () => void): Cancel {
    const timer: Timer = { at: this.#now + Math.max(ms, 0), order: this.#order++, fn };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return sleepWith(this, ms, signal);
  }

  /** Timers that wait. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Milliseconds until the next timer; undefined if none waits. */
  get nextIn(): number | undefined {
    const next = this.#next();
    return next === undefined ? undefined : next.at - this.#now;
  }

  /**
   * Moves time by `ms` and runs what is due, in order, each at its own moment. Promises that a timer resolves run
   * on before the next timer (so a loop that sleeps again inside the span is woken again).
   */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    await settle();
    for (let timer = this.#next(); timer !== undefined && timer.at <= end; timer = this.#next()) {
      this.#now = Math.max(this.#now, timer.at);
      this.#timers.delete(timer);
      timer.fn();
      await settle();
    }
    this.#now = end;
  }

  /** Like `advance`, for code without promises: nothing runs between the timers. */
  advanceSync(ms: number): void {
    const end = this.#now + ms;
    for (let timer = this.#next(); timer !== undefined && timer.at <= end; timer = this.#next()) {
      this.#now = Math.max(this.#now, timer.at);
      this.#timers.delete(timer);
      timer.fn();
    }
    this.#now = end;
  }

  #next(): Timer | undefined {
    let next: Timer | undefined;
    for (const timer of this.#timers) {
      if (next === undefined || timer.at < next.at || (timer.at === next.at && timer.order < next.order))
        next = timer;
    }
    return next;
  }
}

/** Lets everything that is ready run: two turns of the event loop, so that chains of promises come to rest. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 2; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}
