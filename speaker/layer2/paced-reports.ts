/**
 * Limits the rate at which stations that use our addresses are reported, so that a host that forges thousands of frames
 * causes a few reports a second. Only names wait here. A report says how things are at the moment when it is made.
 */
import type { Cancel, Clock } from "#common/clock.ts";

/** The first report is made at once. After that `most` come together, at most once in this time. */
const EVERY_MS = 1_000;

export interface PacedReportsOptions<Place, Found> {
  readonly clock: Pick<Clock, "after">;
  readonly most: number;
  readonly keyOf: (place: Place) => string;
  /** The present state. Undefined means that there is nothing to report any more. */
  readonly look: (place: Place) => Found | undefined;
  readonly report: (found: readonly Found[]) => void;
}

export class PacedReports<Place, Found> {
  readonly #options: PacedReportsOptions<Place, Found>;
  readonly #waiting = new Map<string, Place>();
  #pause: Cancel | undefined;

  constructor(options: PacedReportsOptions<Place, Found>) {
    this.#options = options;
  }

  mark(place: Place): void {
    this.#waiting.set(this.#options.keyOf(place), place);
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
    const { clock, most, look, report } = this.#options;
    const found: Found[] = [];
    for (const [key, place] of this.#waiting) {
      if (found.length === most) break;
      this.#waiting.delete(key);
      const one = look(place);
      if (one !== undefined) found.push(one);
    }
    if (found.length > 0) report(found);
    this.#pause = clock.after(EVERY_MS, () => this.#flush());
  }
}
