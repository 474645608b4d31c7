/**
 * Runs the checks of this node's endpoints, each in its own time, and a bounded number of them at once. Nothing runs
 * while there is nothing to check.
 */
import type { Cancel, Clock } from "#common/clock.ts";
import type { Random } from "#common/random.ts";
import { type CheckEvent, type CheckState, isDue, startCheck, step } from "./check.ts";
import type { Probe, ProbeTarget } from "./probes.ts";

export interface CheckTarget extends ProbeTarget {
  /** What is checked, and how: with another check it is another target. */
  readonly key: string;
}

export interface CheckerOptions<T extends CheckTarget> {
  readonly clock: Pick<Clock, "after" | "now">;
  readonly random: Pick<Random, "number">;
  readonly probe: Probe;
  /** It began to fail, or does so no longer; also when a failing one is not checked any more. */
  readonly onChange: (target: T, isFailing: boolean) => void;
}

/** Checks at once, each a socket: one that waits for an answer. */
export const MOST_RUNNING = 512;
/** Checks that begin together. */
const MOST_BEGUN = 16;
/** From one such beginning to the next. */
const WAKE_MS = 20;

interface Checked<T> {
  target: T;
  state: CheckState;
  cancel: Cancel | undefined;
}

export class Checker<T extends CheckTarget> {
  readonly #options: CheckerOptions<T>;
  readonly #checked = new Map<string, Checked<T>>();
  #running = 0;
  #wokenAt = 0;
  #wake: { readonly at: number; readonly cancel: Cancel } | undefined;

  constructor(options: CheckerOptions<T>) {
    this.#options = options;
  }

  /** These from now on; what was known of those among them stays known. */
  set(targets: readonly T[]): void {
    const { clock, random } = this.#options;
    const wanted = new Set(targets.map(({ key }) => key));
    for (const [key, one] of this.#checked) if (!wanted.has(key)) this.#remove(one);
    for (const target of targets) {
      const known = this.#checked.get(target.key);
      // Spread over an interval: the endpoints of a node do not come one by one.
      const dueAt = clock.now() + target.check.intervalMs * random.number();
      if (known !== undefined) known.target = target;
      else this.#checked.set(target.key, { target, state: startCheck(dueAt), cancel: undefined });
    }
    this.#plan();
  }

  get size(): number {
    return this.#checked.size;
  }

  get running(): number {
    return this.#running;
  }

  /** Those that fail, each with what its last check found. */
  *failing(): Generator<{ readonly target: T; readonly why: string | undefined }> {
    for (const { target, state } of this.#checked.values())
      if (state.isFailing) yield { target, why: state.why };
  }

  close(): void {
    this.set([]);
  }

  #remove(one: Checked<T>): void {
    if (one.cancel !== undefined) this.#running -= 1;
    one.cancel?.();
    this.#checked.delete(one.target.key);
    if (one.state.isFailing) this.#options.onChange(one.target, false);
  }

  #plan(): void {
    let at: number | undefined;
    for (const { state } of this.#checked.values())
      if (!state.isRunning && (at === undefined || state.dueAt < at)) at = state.dueAt;
    // Where all sockets are taken, the end of a check plans anew.
    if (at === undefined || this.#running >= MOST_RUNNING) at = undefined;
    else at = Math.max(at, this.#wokenAt + WAKE_MS);
    if (at === this.#wake?.at) return;
    this.#wake?.cancel();
    const { clock } = this.#options;
    this.#wake =
      at === undefined ? undefined : { at, cancel: clock.after(at - clock.now(), () => this.#beginDue()) };
  }

  #beginDue(): void {
    const now = this.#options.clock.now();
    this.#wake = undefined;
    this.#wokenAt = now;
    const room = Math.min(MOST_BEGUN, MOST_RUNNING - this.#running);
    // Node's timers may fire a fraction of a millisecond early.
    const due = [...this.#checked.values()].filter(({ state }) => isDue(state, now + 1));
    due.sort((a, b) => a.state.dueAt - b.state.dueAt);
    for (const one of due.slice(0, room)) this.#begin(one);
    this.#plan();
  }

  #begin(one: Checked<T>): void {
    this.#running += 1;
    this.#take(one, { type: "begun" });
    let isOver = false;
    const cancel = this.#options.probe(one.target, (why) => {
      isOver = true;
      this.#running -= 1;
      one.cancel = undefined;
      this.#take(one, why === undefined ? { type: "passed" } : { type: "failed", why });
      this.#plan();
    });
    if (!isOver) one.cancel = cancel;
  }

  #take(one: Checked<T>, event: CheckEvent): void {
    const before = one.state.isFailing;
    one.state = step(one.state, one.target.check, event, this.#options.clock.now());
    if (one.state.isFailing !== before) this.#options.onChange(one.target, one.state.isFailing);
  }
}
