/**
 * Decides which review is judged next. Reviews share one thread with allocation and the renewal of the Lease: one
 * review is judged at a time, and after a long one the thread is free for as long as that one took. So half of the
 * thread stays for the rest, however many reviews come in.
 */
import { scheduler } from "node:timers/promises";
import type { Clock } from "#common/clock.ts";

interface Waiting {
  readonly weight: number;
  readonly start: () => Promise<void>;
}

/** A shorter review needs no rest after it: other work gets its turn between two of them anyway. */
const LONG_MS = 5;

export class ReviewQueue {
  readonly #clock: Clock;
  readonly #waiting: Waiting[] = [];
  #isRunning = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * `work` when it is its turn: the lightest goes first, so an ordinary review does not wait for large ones. Fails with
   * what `work` throws; undefined if by then `isWanted` says no.
   */
  take<T>(weight: number, isWanted: () => boolean, work: () => T): Promise<T | undefined> {
    return new Promise<T | undefined>((resolve, reject) => {
      const start = async (): Promise<void> => {
        if (!isWanted()) return resolve(undefined);
        const began = this.#clock.now();
        try {
          resolve(work());
        } catch (error) {
          reject(error);
        }
        const tookMs = this.#clock.now() - began;
        if (tookMs > LONG_MS) await this.#clock.sleep(tookMs);
        else await scheduler.yield();
      };
      this.#waiting.push({ weight, start });
      if (!this.#isRunning) void this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    for (let next = this.#lightest(); next !== undefined; next = this.#lightest()) await next.start();
    this.#isRunning = false;
  }

  /** Of two that weigh the same, the one that has waited longer. */
  #lightest(): Waiting | undefined {
    let lightest = 0;
    for (const [at, { weight }] of this.#waiting.entries()) {
      if (weight < (this.#waiting[lightest]?.weight ?? 0)) lightest = at;
    }
    return this.#waiting.splice(lightest, 1)[0];
  }
}
