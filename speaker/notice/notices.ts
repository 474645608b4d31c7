/**
 * What the receiver of calls about owners is still to be told: one notice for each address that this node owns, the newest.
 * Whatever is not owned any more is forgotten, so nothing grows. Pure: time and chance are arguments.
 *
 * - A notice is due at once, and again after some minutes: a receiver may lose what it knew.
 * - A receiver that gives no answer is asked with growing pauses, for all notices together.
 * - Of notices that it refuses, each is tried with its own pauses and in ever smaller company, so that one address that it
 *   does not take holds up no other one.
 */

export interface Notice {
  readonly vip: string;
  readonly epoch: number;
}

export type Outcome = "taken" | "refused" | "unreached";

interface Entry<T> {
  notice: T;
  dueAt: number;
  /** How often it was refused, since it was last taken. */
  refusals: number;
  isTaken: boolean;
}

/** Notices of one call. */
export const MOST_IN_CALL = 64;
/** How many go together after so many refusals. */
const COMPANY = [MOST_IN_CALL, 16, 4, 1];
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = { refused: 60_000, unreached: 10_000 } as const;
/** What was taken is told again after so long, and half as long again at most. */
export const AGAIN_MS = 300_000;

export class Notices<T extends Notice> {
  readonly #entries = new Map<string, Entry<T>>();
  /** Not before this time: the receiver gave no answer. */
  #pausedUntil = Number.NEGATIVE_INFINITY;
  #failures = 0;

  /** Addresses that the receiver has not taken notice of. */
  get waiting(): number {
    let count = 0;
    for (const { isTaken } of this.#entries.values()) if (!isTaken) count += 1;
    return count;
  }

  /** These are all that there is to tell. */
  set(notices: readonly T[], now: number): void {
    const present = new Set(notices.map(({ vip }) => vip));
    for (const vip of this.#entries.keys()) if (!present.has(vip)) this.#entries.delete(vip);
    for (const notice of notices) {
      const known = this.#entries.get(notice.vip);
      if (known?.notice.epoch === notice.epoch) known.notice = notice;
      else this.#entries.set(notice.vip, { notice, dueAt: now, refusals: 0, isTaken: false });
    }
  }

  /** When `take` has something; undefined: there is nothing to tell. */
  dueAt(): number | undefined {
    let due: number | undefined;
    for (const entry of this.#entries.values()) due = Math.min(due ?? entry.dueAt, entry.dueAt);
    return due === undefined ? undefined : Math.max(due, this.#pausedUntil);
  }

  /** What to tell in one call now, the longest due first. */
  take(now: number): T[] {
    if (now < this.#pausedUntil) return [];
    const due = [...this.#entries.values()]
      .filter(({ dueAt }) => dueAt <= now)
      .sort((one, other) => one.refusals - other.refusals || one.dueAt - other.dueAt);
    const [first] = due;
    if (first === undefined) return [];
    const company = COMPANY[Math.min(first.refusals, COMPANY.length - 1)] ?? 1;
    return due
      .filter(({ refusals }) => refusals === first.refusals)
      .slice(0, company)
      .map(({ notice }) => notice);
  }

  /** `chance`: from 0 to 1. */
  settle(told: readonly T[], outcome: Outcome, now: number, chance: number): void {
    if (outcome === "unreached") {
      this.#pausedUntil = now + pause(this.#failures, LONGEST_PAUSE_MS.unreached, chance);
      this.#failures += 1;
      return;
    }
    this.#failures = 0;
    for (const { vip, epoch } of told) {
      const entry = this.#entries.get(vip);
      // Another notice has taken its place meanwhile, or none.
      if (entry?.notice.epoch !== epoch) continue;
      entry.isTaken = outcome === "taken";
      entry.dueAt =
        now +
        (entry.isTaken
          ? AGAIN_MS * (1 + chance / 2)
          : pause(entry.refusals, LONGEST_PAUSE_MS.refused, chance));
      entry.refusals = entry.isTaken ? 0 : entry.refusals + 1;
    }
  }
}

/** Doubles with each failure; from three quarters to all of it, so that nodes do not call in step. */
function pause(failures: number, mostMs: number, chance: number): number {
  return Math.min(FIRST_PAUSE_MS * 2 ** failures, mostMs) * (0.75 + chance / 4);
}
