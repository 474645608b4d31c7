/**
 * Bounds what a log has of one cause in a minute: a server that fails for each of thousands of objects, or somebody who
 * changes one object in a loop, must not fill the disk or bury what else is said. What was left out is counted, and the
 * count is said when the minute is over. Pure but for what it remembers.
 */

export interface LogLimits {
  /** Records of one cause in a window. */
  readonly records: number;
  readonly windowMs: number;
  /** Causes that are counted at once; of more, those that began first are forgotten. */
  readonly causes: number;
}

export const LOG_LIMITS: LogLimits = { records: 30, windowMs: 60_000, causes: 4_096 };

/** What was left out of one cause. */
export interface LeftOut<T> {
  /** The first record of the cause that was left out. */
  readonly example: T;
  readonly count: number;
}

interface Window<T> {
  readonly since: number;
  records: number;
  example: T | undefined;
  leftOut: number;
}

export class LogLimiter<T> {
  readonly #limits: LogLimits;
  /** In the order in which their windows began. */
  readonly #windows = new Map<string, Window<T>>();

  constructor(limits: LogLimits = LOG_LIMITS) {
    this.#limits = limits;
  }

  /** Whether a record of this cause may be written at `now` (milliseconds that never go back). */
  admit(cause: string, record: T, now: number): boolean {
    const window = this.#windows.get(cause);
    if (window === undefined || now - window.since >= this.#limits.windowMs) {
      this.#windows.delete(cause);
      this.#windows.set(cause, { since: now, records: 1, example: undefined, leftOut: 0 });
      return true;
    }
    window.records += 1;
    if (window.records <= this.#limits.records) return true;
    window.example ??= record;
    window.leftOut += 1;
    return false;
  }

  /** What was left out in windows that are over, or are too many; each is returned once. To be asked before `admit`. */
  over(now: number): readonly LeftOut<T>[] {
    const found: LeftOut<T>[] = [];
    for (const [cause, window] of this.#windows) {
      const isOver = now - window.since >= this.#limits.windowMs;
      if (!isOver && this.#windows.size < this.#limits.causes) break;
      this.#windows.delete(cause);
      if (window.example !== undefined) found.push({ example: window.example, count: window.leftOut });
    }
    return found;
  }

  get size(): number {
    return this.#windows.size;
  }
}

/** Fields that say what an announced change is about, the first that is there. */
const SUBJECTS = ["service", "object", "pool", "peer", "ip", "node", "resource"] as const;

/**
 * What makes two records the same thing again: level and words (those of errors are in fields), the loop or lease that
 * speaks, and, for the changes that `event` names, the object: each of thousands has its own line.
 */
export function causeOf(level: string, message: string, fields: Readonly<Record<string, unknown>>): string {
  const { event, loop, lease } = fields;
  // A change that is about nothing in particular, as leadership, has no subject.
  const subject = event === undefined ? undefined : SUBJECTS.map((name) => fields[name]).find(Boolean);
  return JSON.stringify([
    level,
    message,
    event,
    loop,
    lease,
    subject === undefined ? "" : String(subject),
  ]).slice(0, MAX_CAUSE);
}

const MAX_CAUSE = 512;
