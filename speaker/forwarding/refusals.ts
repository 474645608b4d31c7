/**
 * Remembers each request that the kernel refused, so that the kernel is asked again after pauses that grow, and nothing
 * is written in between. A refusal is forgotten when its entry is not wanted any more, or is there after all.
 */
import type { Clock } from "#common/clock.ts";
import type { KernelRefusal } from "#speaker/forwarding/types.ts";

/** The first pause, and the longest. Passes come every 3 s and with each change. */
const FIRST_PAUSE_MS = 2_000;
const LONGEST_PAUSE_MS = 300_000;

/** The pause doubles with each refusal in a row. */
export function pauseMs(refusals: number): number {
  return Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(refusals - 1, 20));
}

interface Entry {
  readonly refusal: KernelRefusal;
  readonly times: number;
  dueAt: number;
  /** The number of the last pass that met it. */
  pass: number;
  /** The kernel has accepted it since. Reading back will show whether it is there. */
  isTaken: boolean;
}

export class Refusals {
  readonly #clock: Pick<Clock, "now">;
  readonly #entries = new Map<string, Entry>();
  #pass = 0;

  constructor(clock: Pick<Clock, "now">) {
    this.#clock = clock;
  }

  /** A pass begins. */
  begin(): void {
    this.#pass += 1;
  }

  get isEmpty(): boolean {
    return this.#entries.size === 0;
  }

  /**
   * Call it only for what is missing. A refusal that a pass does not ask for is not wanted any more, or its entry is
   * there.
   */
  isPaused(key: string): boolean {
    const entry = this.#entries.get(key);
    if (entry === undefined || entry.isTaken || entry.dueAt <= this.#clock.now()) return false;
    entry.pass = this.#pass;
    return true;
  }

  /** The kernel refused it in this pass. */
  note(key: string, refusal: KernelRefusal): void {
    const known = this.#entries.get(key);
    const times = (known?.times ?? 0) + 1;
    this.#entries.set(key, {
      refusal,
      times,
      dueAt: this.#clock.now() + pauseMs(times),
      pass: this.#pass,
      isTaken: false,
    });
  }

  /** Something else is asked for than what was refused: no pause. What it was refused before counts if it is refused again. */
  askAnew(key: string): void {
    const entry = this.#entries.get(key);
    if (entry !== undefined) entry.dueAt = this.#clock.now();
  }

  /** The kernel took it. */
  take(key: string): void {
    const entry = this.#entries.get(key);
    if (entry !== undefined) entry.isTaken = true;
  }

  has(key: string): boolean {
    return this.#entries.get(key)?.isTaken === false;
  }

  /** The pass is over: what it did not meet is forgotten. */
  end(): void {
    for (const [key, { pass, isTaken }] of this.#entries)
      if (pass !== this.#pass || isTaken) this.#entries.delete(key);
  }

  list(): KernelRefusal[] {
    return [...this.#entries.values()].map(({ refusal }) => refusal);
  }

  clear(): void {
    this.#entries.clear();
  }
}
