/**
 * How late a thread of the ordinary scheduling class wakes up, and how much lateness its sessions have to allow for. What
 * comes late is alike on one machine (the tail falls off exponentially, measured), and differs between machines: so it
 * is measured where it counts, and not known beforehand. No clock of its own.
 */

/** So much is allowed until it is known, and at most: on two loaded cores a false alarm is rare with it (floor.ts). */
export const MOST_LATENESS_MS = 700;
/** And never less, for what has not happened in ten minutes may happen in the eleventh: 150 ms x 3. */
const LEAST_LATENESS_MS = 300;
/** Timers are negotiated anew at each change, so there are few. */
const STEP_MS = 100;
/**
 * Of the worst that was seen. Among the thousand wakeups of ten minutes the worst one is about seven times the mean lateness of
 * an exponential tail; a false alarm less often than once in a million hours is as rare as one that is 25 times as late.
 */
const SAFETY = 4;
const WINDOW_MS = 60_000;
const WINDOWS = 10;

export class Punctuality {
  /** The worst of each of the last minutes, as a ring. */
  readonly #worst = new Float64Array(WINDOWS);
  #at = 0;
  #complete = 0;
  #windowEnd: number;

  constructor(now: number) {
    this.#windowEnd = now + WINDOW_MS;
  }

  /** A wakeup came `lateMs` after its time. */
  note(lateMs: number, now: number): void {
    this.#turn(now);
    if (lateMs > (this.#worst[this.#at] ?? 0)) this.#worst[this.#at] = lateMs;
  }

  /** Milliseconds by which a packet may come later than its interval. */
  allowance(now: number): number {
    this.#turn(now);
    if (this.#complete < WINDOWS) return MOST_LATENESS_MS;
    const wanted = Math.ceil((SAFETY * Math.max(...this.#worst)) / STEP_MS) * STEP_MS;
    return Math.min(Math.max(wanted, LEAST_LATENESS_MS), MOST_LATENESS_MS);
  }

  #turn(now: number): void {
    while (now >= this.#windowEnd) {
      this.#at = (this.#at + 1) % WINDOWS;
      this.#worst[this.#at] = 0;
      this.#complete += 1;
      this.#windowEnd += WINDOW_MS;
    }
  }
}
