/** Long work in slices: between two of them everything else of the process has its turn. */
import type { Clock } from "#common/clock.ts";

/** The longest time for which the main thread is held, but for what one system call takes. */
export const SLICE_MS = 8;

export class Slices {
  readonly #clock: Pick<Clock, "now" | "sleep">;
  #startedAt: number;

  constructor(clock: Pick<Clock, "now" | "sleep">) {
    this.#clock = clock;
    this.#startedAt = clock.now();
  }

  /** Call it after each small piece of work. It waits only if the slice is used up. */
  async breathe(): Promise<void> {
    if (this.#clock.now() - this.#startedAt < SLICE_MS) return;
    await this.#clock.sleep(0);
    this.#startedAt = this.#clock.now();
  }
}
