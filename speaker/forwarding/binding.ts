/**
 * When connections that other nodes told of are bound anew. The kernel binds one that it is told of to a pod of its list.
 * Without such a list it binds it to nothing, and packets of it go the way that the other node has, which is none from here.
 * The other node gets no packets of it then, so it never tells of it again. So whenever lists were put back, this node tells
 * itself of what it was told.
 */
import type { Clock } from "#common/clock.ts";

/** Somebody may remove lists again and again. */
const EVERY_MS = 5_000;
/** And where there are many connections, no more than such a part of the time is spent on them. */
const SHARE = 20;
const PAUSE_MS = 1;

export interface BindingOptions {
  readonly clock: Pick<Clock, "now" | "sleep">;
  readonly bindTold: () => Generator<undefined, boolean>;
}

export class Binding {
  readonly #options: BindingOptions;
  /** A process that begins does not know since when lists were there. */
  #isDue = true;
  #work: Generator<undefined, boolean> | undefined;
  #startedAt = 0;
  #restsUntil = Number.NEGATIVE_INFINITY;

  constructor(options: BindingOptions) {
    this.#options = options;
  }

  /** Lists are put back. */
  demand(): void {
    this.#isDue = true;
  }

  /** Nodes share no connections now. When they do again, it begins anew. */
  forget(): void {
    // What it has open is closed by that.
    this.#work?.return(true);
    this.#work = undefined;
    this.#isDue = true;
  }

  /** Binds what there is, if that was demanded. It gives way to what is urgent, and goes on the next time. */
  async run(isUrgent: () => boolean): Promise<void> {
    const { clock } = this.#options;
    const work = this.#work ?? this.#begin();
    if (work === undefined) return;
    this.#work = work;
    let step = work.next();
    while (step.done !== true) {
      await clock.sleep(PAUSE_MS);
      if (isUrgent()) return;
      step = work.next();
    }
    this.#work = undefined;
    if (!step.value) this.#isDue = true;
    this.#restsUntil = this.#startedAt + Math.max(EVERY_MS, SHARE * (clock.now() - this.#startedAt));
  }

  #begin(): Generator<undefined, boolean> | undefined {
    const { clock, bindTold } = this.#options;
    const now = clock.now();
    if (!this.#isDue || now < this.#restsUntil) return undefined;
    this.#isDue = false;
    this.#startedAt = now;
    return bindTold();
  }
}
