/**
 * Many peers that hear a large table at once, or begin sessions at once, would hold this thread while it is made for each
 * of them. So only so many routes are told, or withdrawn, in one turn of the event loop, of whichever sessions, and the
 * others in later turns. What is to be withdrawn goes before what is told.
 */
import type { Cancel, Clock } from "#common/clock.ts";
import { type Difference, differenceOf, type List, partOf } from "./list-difference.ts";
import type { SessionState } from "./types.ts";

/** Routes that are told or withdrawn in one turn: some milliseconds of work. */
export const ROUTES_A_TURN = 3_000;

/** A session, as far as it is told what to advertise. */
export interface Told {
  readonly state: SessionState;
  /** What it was last told. */
  readonly wanted: List;
  /** `isWhole`: nothing of the table is still to come. */
  advertise(list: List, isWhole: boolean): void;
}

type Work = Pick<Difference, "gone" | "added" | "common">;

export class TableTurns {
  readonly #clock: Pick<Clock, "after">;
  readonly #onTold: () => void;
  /** In this order they are told. */
  readonly #waiting = new Map<Told, List>();
  /** Routes that may be told at once, beside the turn of those that wait. */
  #left = ROUTES_A_TURN;
  #cancel: Cancel | undefined;
  /** Who waits until nothing more is to be withdrawn. */
  #onWithdrawn: (() => void)[] = [];

  constructor(clock: Pick<Clock, "after">, onTold: () => void) {
    this.#clock = clock;
    this.#onTold = onTold;
  }

  /** The session is to have this whole table: at once if it is little that differs, else in later turns. */
  tell(session: Told, list: List): void {
    this.#waiting.delete(session);
    const { gone, added, common } = workOf(session, list);
    if (gone.length + added.length <= this.#left) {
      this.#left -= gone.length + added.length;
      session.advertise(list, true);
    } else {
      this.#waiting.set(session, list);
      if (gone.length > 0 && gone.length <= this.#left) {
        this.#left -= gone.length;
        session.advertise(common, false);
      }
    }
    if (gone.length + added.length > 0) this.#awake();
  }

  /** The session is established, and has been told nothing; `list` is what it was to have before, unless it waits. */
  begin(session: Told, list: List): void {
    this.tell(session, this.#waiting.get(session) ?? list);
  }

  /** Resolves when every session has been told what it is not to have any more, as far as it is asked for by now. */
  async withdrawn(): Promise<void> {
    if (!this.#isWithdrawing()) return;
    await new Promise<void>((resolve) => this.#onWithdrawn.push(resolve));
  }

  /** Nothing more is to be told to it. */
  drop(session: Told): void {
    this.#waiting.delete(session);
  }

  stop(): void {
    this.#waiting.clear();
    this.#cancel?.();
    this.#cancel = undefined;
    this.#noteWithdrawn();
  }

  #awake(): void {
    this.#cancel ??= this.#clock.after(0, () => this.#turn());
  }

  #turn(): void {
    this.#cancel = undefined;
    this.#left = ROUTES_A_TURN;
    if (this.#waiting.size > 0) {
      const left = this.#each(ROUTES_A_TURN, withdraw);
      if (left > 0) this.#each(left, announce);
      this.#onTold();
    }
    if (this.#waiting.size > 0) this.#awake();
    this.#noteWithdrawn();
  }

  /** Goes through those that wait until `most` routes are done; returns how many of these are left. */
  #each(most: number, act: (session: Told, list: List, left: number) => number): number {
    let left = most;
    for (const [session, list] of [...this.#waiting]) {
      left -= act(session, list, left);
      if (session.wanted === list) this.#waiting.delete(session);
      if (left <= 0) return 0;
    }
    return left;
  }

  #isWithdrawing(): boolean {
    return [...this.#waiting].some(([session, list]) => workOf(session, list).gone.length > 0);
  }

  #noteWithdrawn(): void {
    if (this.#onWithdrawn.length === 0 || this.#isWithdrawing()) return;
    for (const resolve of this.#onWithdrawn.splice(0)) resolve();
  }
}

/** Withdraws up to `left` routes from the session; returns how many. */
function withdraw(session: Told, list: List, left: number): number {
  const { gone, added, common } = workOf(session, list);
  if (gone.length === 0) return 0;
  if (gone.length <= left) {
    session.advertise(added.length === 0 ? list : common, added.length === 0);
    return gone.length;
  }
  session.advertise(partOf(session.wanted, list, left), false);
  return left;
}

/**
 * Tells the session what it lacks, or as many routes as a turn has. Where fewer are left, and it lacks more, nothing is
 * told, and the turn is over: peers that hear the same share their parts, and so the work of finding them.
 */
function announce(session: Told, list: List, left: number): number {
  const { added } = workOf(session, list);
  if (added.length <= left) {
    session.advertise(list, true);
    return added.length;
  }
  if (left === ROUTES_A_TURN) session.advertise(partOf(session.wanted, list, left), false);
  return left;
}

/** Of a session that is not established it is only noted. */
function workOf(session: Told, list: List): Work {
  const work = differenceOf(session.wanted, list);
  return session.state === "Established" ? work : { gone: [], added: [], common: work.common };
}
