/**
 * Time as an argument: the only file of the tree that touches timers and dates.
 * Whatever waits or measures takes a Clock, so that a test can move time by hand (test/fakes/clock.ts).
 */

/** Undoes `after`. Calling it twice, or after the function ran, does nothing. */
export type Cancel = () => void;

export interface Clock {
  /** Monotonic milliseconds since an arbitrary start; never goes back, says nothing about the date. */
  now(): number;
  /** The wall clock, for timestamps that people and other programs read. Never for measuring. */
  date(): Date;
  /**
   * Runs `fn` once, in `ms` milliseconds or later. Node cuts fractions off: when `fn` runs, `now` may be up to one
   * millisecond short of it, so what is due is decided by the timer and not by another look at `now`.
   */
  after(ms: number, fn: () => void): Cancel;
  /** Resolves after `ms`, or as soon as `signal` aborts (it never rejects: look at `signal.aborted`). */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** setTimeout counts in 32 bits; a longer wait would fire at once. */
const MAX_TIMEOUT = 2 ** 31 - 1;

/** The real time. A timer of it keeps the process alive until it fires or is cancelled. */
export const systemClock: Clock = {
  now: () => performance.now(),
  date: () => new Date(),
  after(ms, fn) {
    const timer = setTimeout(fn, Math.min(Math.max(ms, 0), MAX_TIMEOUT));
    return () => clearTimeout(timer);
  },
  sleep(ms, signal) {
    return sleepWith(systemClock, ms, signal);
  },
};

/** `sleep` built on `after`, for every Clock. */
export function sleepWith(clock: Pick<Clock, "after">, ms: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const finish = (): void => {
      cancel();
      signal?.removeEventListener("abort", finish);
      resolve();
    };
    const cancel = clock.after(ms, finish);
    signal?.addEventListener("abort", finish, { once: true });
  });
}
