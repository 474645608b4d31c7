/**
 * Many peers that hear a large table at once would hold this thread while it is made for each of them. So one is told,
 * and the others one by one in later turns of the event loop. What is to be withdrawn is withdrawn from all of them at once.
 */
import type { Cancel, Clock } from "#common/clock.ts";
import { differenceOf, type List } from "./list-difference.ts";
import type { SessionState } from "./types.ts";

/** Routes beyond which a table is made in a turn of its own: some milliseconds of work. */
const LARGE = 1_000;

/** A session, as far as it is told what to advertise. */
export interface Told {
  readonly state: SessionState;
  /** What it was last told. */
  readonly wanted: List;
  advertise(list: List): void;
}

export class TableTurns {
  readonly #clock: Pick<Clock, "after">;
  readonly #onTold: () => void;
  readonly #waiting = new Map<Told, List>();
  #isTaken = false;
  #cancel: Cancel | undefined;

  constructor(clock: Pick<Clock, "after">, onTold: () => void) {
    this.#clock = clock;
    this.#onTold = onTold;
  }

  /** Sessions are told what is wanted now: one large table may be made at once. */
  begin(): void {
    this.#isTaken = false;
  }

  tell(session: Told, list: List): void {
    const { added, common } = differenceOf(session.wanted, list);
    // Of a session that is not established it is only noted.
    const isLarge = added.length > LARGE && session.state === "Established";
    if (isLarge && this.#isTaken) {
      session.advertise(common);
      this.#waiting.set(session, list);
      this.#cancel ??= this.#clock.after(0, () => this.#next());
      return;
    }
    if (isLarge) this.#isTaken = true;
    this.#waiting.delete(session);
    session.advertise(list);
  }

  /** Nothing more is to be told to it. */
  drop(session: Told): void {
    this.#waiting.delete(session);
  }

  stop(): void {
    this.#waiting.clear();
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #next(): void {
    this.#cancel = undefined;
    const [next] = this.#waiting;
    if (next === undefined) return;
    const [session, list] = next;
    this.#waiting.delete(session);
    session.advertise(list);
    if (this.#waiting.size > 0) this.#cancel = this.#clock.after(0, () => this.#next());
    this.#onTold();
  }
}
