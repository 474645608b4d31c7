/**
 * The level-triggered worker of every role: something changed -> one pass over everything that is wanted.
 * Triggers during a pass are merged into one more pass; passes never overlap; a pass that throws is repeated later
 * and later, and counted. A pass must do nothing when nothing is to be done.
 */
import type { Cancel, Clock } from "#common/clock.ts";
import { describeError } from "#common/error.ts";
import type { Logger } from "#common/log.ts";
import { backoff, jittered, type Random } from "#common/random.ts";

export interface LoopOptions {
  readonly name: string;
  /** One pass; `retryAfterMs` asks for another although nothing failed. */
  // biome-ignore lint/suspicious/noConfusingVoidType: a pass that returns nothing is the common case
  readonly pass: (signal: AbortSignal) => Promise<{ readonly retryAfterMs?: number } | void>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** From the start of a pass to the start of the next; default 0. */
  readonly minIntervalMs?: number;
  /** The same to a pass that was asked for urgently; default as minIntervalMs. */
  readonly urgentIntervalMs?: number;
  /**
   * For so long a pass gives way to none that is not urgent; default minIntervalMs. A pass that gives way has done a part of
   * its work for the whole price of a beginning: where changes never end, too short a part does less than what comes in.
   */
  readonly patienceMs?: number;
  /** A pass at least so often (spread by a tenth), triggered or not; default never. */
  readonly resyncMs?: number;
  /** Wait after the first failure and at most; default 250 and 30,000. */
  readonly backoffMs?: { readonly baseMs: number; readonly capMs: number };
}

export interface Loop {
  /** Asks for a pass; safe to call at any time, also before `run`. */
  trigger(isUrgent?: boolean): void;
  /** Makes passes until `signal` aborts; the first at once. Resolves when the last pass has ended. */
  run(signal: AbortSignal): Promise<void>;
  /**
   * Whether another pass would begin at once if the present one ended, and is urgent, or had to wait for long: a long one
   * asks between its parts, and gives way. So it is when the loop is to end.
   */
  readonly isDue: boolean;
  /** Passes that ended, well or not. */
  readonly passes: number;
  /** Passes that threw. */
  readonly failures: number;
  /** The error of the last pass; undefined if it went well. */
  readonly lastError: unknown;
}

const DEFAULT_BACKOFF = { baseMs: 250, capMs: 30_000 } as const;

export function createLoop(options: LoopOptions): Loop {
  return new PassLoop(options);
}

class PassLoop implements Loop {
  readonly #options: LoopOptions;
  readonly #log: Logger;
  #isWanted = true;
  #isUrgent = false;
  #wake: (() => void) | undefined;
  #signal: AbortSignal | undefined;
  /** When the present pass began. */
  #began = 0;
  #failuresInRow = 0;
  passes = 0;
  failures = 0;
  lastError: unknown;

  constructor(options: LoopOptions) {
    this.#options = options;
    this.#log = options.log.child({ loop: options.name });
  }

  trigger(isUrgent = false): void {
    this.#isWanted = true;
    this.#isUrgent ||= isUrgent;
    this.#wake?.();
  }

  get isDue(): boolean {
    if (this.#signal?.aborted === true) return true;
    if (!this.#isWanted || this.#restMs > 0) return false;
    const { clock, patienceMs = 0 } = this.#options;
    return this.#isUrgent || clock.now() - this.#began >= patienceMs;
  }

  /** Until the next pass may begin. */
  get #restMs(): number {
    const { clock, minIntervalMs = 0, urgentIntervalMs = minIntervalMs } = this.#options;
    return this.#began + (this.#isUrgent ? urgentIntervalMs : minIntervalMs) - clock.now();
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    this.#isWanted = true;
    this.#signal = signal;
    while (!signal.aborted) {
      this.#isWanted = false;
      this.#isUrgent = false;
      this.#began = clock.now();
      const again = await this.#pass(signal);
      if (signal.aborted) return;
      // After a failure a trigger must not shorten the wait: what failed would be tried in a tight circle.
      if (this.#failuresInRow > 0) await clock.sleep(again ?? 0, signal);
      else await this.#idle(again, signal);
      // A trigger meanwhile may be an urgent one.
      for (let ms = this.#restMs; ms > 0 && !signal.aborted; ms = this.#restMs) await this.#wait(ms, signal);
    }
  }

  /** One pass; milliseconds after which another is due without a trigger, undefined for never. */
  async #pass(signal: AbortSignal): Promise<number | undefined> {
    const { pass, random, resyncMs } = this.#options;
    try {
      const result = await pass(signal);
      this.#failuresInRow = 0;
      this.lastError = undefined;
      const resync = resyncMs === undefined ? undefined : jittered(resyncMs, 0.1, random);
      const asked = result?.retryAfterMs;
      return asked === undefined ? resync : Math.min(asked, resync ?? asked);
    } catch (error) {
      if (signal.aborted) return undefined;
      this.failures += 1;
      this.#failuresInRow += 1;
      this.lastError = error;
      const waitMs = backoff(this.#failuresInRow, this.#options.backoffMs ?? DEFAULT_BACKOFF, random);
      this.#log.error("pass failed", {
        error: describeError(error),
        failures: this.#failuresInRow,
        retryAfterMs: Math.round(waitMs),
      });
      return waitMs;
    } finally {
      this.passes += 1;
    }
  }

  /** Until a trigger, `ms`, or the signal; at once if a trigger came during the pass. */
  #idle(ms: number | undefined, signal: AbortSignal): Promise<void> {
    return this.#isWanted || signal.aborted ? Promise.resolve() : this.#wait(ms, signal);
  }

  /** Until a trigger, `ms`, or the signal. */
  #wait(ms: number | undefined, signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const cancel: Cancel = ms === undefined ? () => undefined : this.#options.clock.after(ms, resolve);
    this.#wake = resolve;
    const onAbort = (): void => resolve();
    signal.addEventListener("abort", onAbort, { once: true });
    return promise.finally(() => {
      signal.removeEventListener("abort", onAbort);
      this.#wake = undefined;
      cancel();
    });
  }
}
