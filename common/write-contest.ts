/**
 * Another writer changes what we write, and each of us puts it right again. Nobody wins such a fight, and the API
 * server and all watchers pay for it. We put a change right at once a few times, since a person may have made it; after
 * that we wait for growing pauses, in which it stays as the other writer wants it. Pure but for what it remembers.
 */

export interface WriteContestLimits {
  /** So often it is put right at once. */
  readonly free: number;
  /** The first pause, which doubles, and the longest, in milliseconds. */
  readonly baseMs: number;
  readonly capMs: number;
  /** What stays as we wrote it for so long, and for twice the last pause, is no longer fought over. */
  readonly calmMs: number;
}

export const CONTEST_LIMITS: WriteContestLimits = { free: 3, baseMs: 1_000, capMs: 300_000, calmMs: 60_000 };

interface Round {
  /** What we write. */
  readonly text: string;
  /** How often we wrote it over somebody else's since it last stayed. */
  overwrites: number;
  writtenAt: number;
  /** When somebody else's text was first seen after our last write; undefined while ours is there. */
  lostAt: number | undefined;
}

/** What was written: so many are remembered, the latest. A Service more costs one more write at once. */
const MAX_KNOWN = 20_000;

export class WriteContests {
  readonly #limits: WriteContestLimits;
  readonly #maxKnown: number;
  readonly #rounds = new Map<string, Round>();

  constructor(limits: WriteContestLimits = CONTEST_LIMITS, maxKnown = MAX_KNOWN) {
    this.#limits = limits;
    this.#maxKnown = maxKnown;
  }

  /** We wrote `text` for `key`, at Clock.now(). */
  wrote(key: string, text: string, now: number): void {
    const round = this.#rounds.get(key);
    const isRepeated = round?.text === text && round.lostAt !== undefined;
    const isCalm = isRepeated && this.#stayed(round, round.lostAt ?? now) >= this.#calmMs(round);
    const overwrites = isRepeated && !isCalm ? round.overwrites + 1 : 0;
    // The newest is last in the map, so the one that is forgotten first was written longest ago.
    this.#rounds.delete(key);
    this.#rounds.set(key, { text, overwrites, writtenAt: now, lostAt: undefined });
    if (this.#rounds.size <= this.#maxKnown) return;
    const oldest = this.#rounds.keys().next();
    if (oldest.done !== true) this.#rounds.delete(oldest.value);
  }

  /** `text` is what `key` has to say, and it does not: milliseconds before it may be written again; 0: at once. */
  waitMs(key: string, text: string, now: number): number {
    const round = this.#rounds.get(key);
    // Something else than what we last wrote: that is our own change.
    if (round === undefined || round.text !== text) return 0;
    round.lostAt ??= now;
    if (this.#stayed(round, round.lostAt) >= this.#calmMs(round)) return 0;
    return Math.max(0, round.lostAt + this.#pauseMs(round.overwrites) - now);
  }

  /** Our text is there. If an old view showed another one before, that no longer counts. */
  stands(key: string): void {
    const round = this.#rounds.get(key);
    if (round !== undefined) round.lostAt = undefined;
  }

  /**
   * Whether `key` was overwritten more often than a person would, and did not stay as we wrote it for long enough; with
   * `text`, whether that is about this text.
   */
  isContested(key: string, now: number, text?: string): boolean {
    const round = this.#rounds.get(key);
    if (round === undefined || (text !== undefined && round.text !== text)) return false;
    const isMany = round.overwrites + (round.lostAt === undefined ? 0 : 1) > this.#limits.free;
    return isMany && this.#stayed(round, round.lostAt ?? now) < this.#calmMs(round);
  }

  /**
   * Milliseconds until a contested `key` that stays as it is counts as ours again; undefined if there is no contest.
   */
  calmInMs(key: string, now: number): number | undefined {
    const round = this.#rounds.get(key);
    if (round === undefined || round.lostAt !== undefined || !this.isContested(key, now)) return undefined;
    return round.writtenAt + this.#calmMs(round) - now;
  }

  forget(key: string): void {
    this.#rounds.delete(key);
  }

  get size(): number {
    return this.#rounds.size;
  }

  #stayed({ writtenAt }: Round, until: number): number {
    return until - writtenAt;
  }

  #calmMs({ overwrites }: Round): number {
    return Math.max(this.#limits.calmMs, 2 * this.#pauseMs(overwrites));
  }

  /** Before the write after so many overwrites. */
  #pauseMs(overwrites: number): number {
    const { free, baseMs, capMs } = this.#limits;
    if (overwrites < free) return 0;
    return Math.min(capMs, baseMs * 2 ** Math.min(overwrites - free, 30));
  }
}
