/**
 * Limits the rate at which conflicts are reported, so that a host that forges thousands of them causes a few reports a
 * second. Only names wait here. A report says how things are at the moment when it is made.
 */
import type { Cancel, Clock } from "#common/clock.ts";
import type { Announcement, Conflict } from "./messages.ts";

/** The first report is made at once. After that so many come together, at most once in this time. */
const MOST = 32;
const EVERY_MS = 1_000;

export interface ConflictReportsOptions {
  readonly clock: Pick<Clock, "after">;
  /** The present state. Undefined means that the address is not announced any more. */
  readonly look: (announcement: Announcement) => Conflict | undefined;
  readonly report: (conflicts: readonly Conflict[]) => void;
}

export class ConflictReports {
  readonly #options: ConflictReportsOptions;
  readonly #waiting = new Map<string, Announcement>();
  #pause: Cancel | undefined;

  constructor(options: ConflictReportsOptions) {
    this.#options = options;
  }

  mark(announcement: Announcement): void {
    this.#waiting.set(`${announcement.link} ${announcement.vip}`, announcement);
    if (this.#pause === undefined) this.#flush();
  }

  close(): void {
    this.#pause?.();
    this.#pause = undefined;
    this.#waiting.clear();
  }

  #flush(): void {
    this.#pause = undefined;
    if (this.#waiting.size === 0) return;
    const conflicts: Conflict[] = [];
    for (const [key, announcement] of this.#waiting) {
      if (conflicts.length === MOST) break;
      this.#waiting.delete(key);
      const conflict = this.#options.look(announcement);
      if (conflict !== undefined) conflicts.push(conflict);
    }
    if (conflicts.length > 0) this.#options.report(conflicts);
    this.#pause = this.#options.clock.after(EVERY_MS, () => this.#flush());
  }
}
