/**
 * The audit, which goes on all the time while nothing else is done: slice by slice, round after round. nftables says
 * when somebody else has changed it, so its sets are looked at then, and otherwise now and then. IPVS says nothing, so
 * the list of its services is looked at every few seconds, and the services' real servers one after the other.
 */
import type { Clock } from "#common/clock.ts";
import type { Audit, Piece } from "#speaker/forwarding/audit.ts";
import { SLICE_MS } from "#speaker/forwarding/slices.ts";

/** The pause between two slices. An audit takes at most about a twentieth of the thread's time, */
export const SLICE_EVERY_MS = 150;
/** and a fifth where there is so much that a round would take more than a minute. */
const HASTE_EVERY_MS = 30;
/** How often the services are listed. */
const SERVICES_EVERY_MS = 3_000;
/** How often all sets are looked at, even if nftables says that nobody has changed them. */
const ELEMENTS_EVERY_MS = 60_000;
/** The time from the begin of one round to the begin of the next. */
const ROUND_MS = 2_500;
/** In which a round should be over. */
const WHOLE_ROUND_MS = 45_000;

export interface AuditorOptions {
  readonly audit: Pick<Audit, "size" | "services" | "elements" | "destinations" | "routes">;
  readonly clock: Pick<Clock, "now">;
  /** A number that changes when somebody else changes nftables. */
  readonly epoch: () => number;
}

/** A list that is looked at again and again. */
interface Listing {
  readonly everyMs: number;
  readonly look: () => Generator<Piece>;
  startedAt: number;
  /** Somebody has changed what it lists. */
  isTouched: boolean;
}

export class Auditor {
  readonly #options: AuditorOptions;
  #work: Generator<Piece | "rest", void>;
  #epoch: number | undefined;
  readonly #elements: Listing;
  readonly #services: Listing;
  #listsRestUntil = Number.NEGATIVE_INFINITY;
  /** Of the round that is on its way: when it began, and how many servers it has looked at. */
  #round = { startedAt: 0, looked: 0 };
  /** When the last whole round ended, and how long it took. */
  #lastRound: { readonly endedAt: number; readonly tookMs: number } | undefined;

  /** Call it when everything has just been audited. */
  constructor(options: AuditorOptions) {
    this.#options = options;
    const { audit } = options;
    const common = { startedAt: options.clock.now(), isTouched: false };
    this.#elements = { ...common, everyMs: ELEMENTS_EVERY_MS, look: () => audit.elements() };
    this.#services = { ...common, everyMs: SERVICES_EVERY_MS, look: () => audit.services() };
    this.#work = this.#rounds();
  }

  get lastRound(): { readonly endedAt: number; readonly tookMs: number } | undefined {
    return this.#lastRound;
  }

  /** From the end of one slice to the next one. */
  get pauseMs(): number {
    const { audit, clock } = this.#options;
    const { startedAt, looked } = this.#round;
    const share = (clock.now() - startedAt) / WHOLE_ROUND_MS;
    return looked < audit.size * share ? HASTE_EVERY_MS : SLICE_EVERY_MS;
  }

  /** Gives up what is in the middle of a list of the kernel's. */
  stop(): void {
    this.#work.return(undefined);
  }

  /** Works until the slice is used up, or there is nothing to do for now. */
  slice(): void {
    const { clock, epoch } = this.#options;
    const startedAt = clock.now();
    const now = epoch();
    if (this.#epoch !== now && this.#epoch !== undefined) this.#elements.isTouched = true;
    this.#epoch = now;
    try {
      while (clock.now() - startedAt < SLICE_MS) {
        const { value } = this.#work.next();
        if (value === "rest") return;
      }
    } catch (error) {
      // A generator that threw has ended, so the next slice begins another round.
      this.#work = this.#rounds();
      throw error;
    }
  }

  *#rounds(): Generator<Piece | "rest", void> {
    const { audit, clock } = this.#options;
    for (;;) {
      const startedAt = clock.now();
      this.#round = { startedAt, looked: 0 };
      for (const _ of audit.destinations()) {
        this.#round.looked += 1;
        yield;
        yield* this.#urgent();
      }
      yield* audit.routes();
      this.#lastRound = { endedAt: clock.now(), tookMs: clock.now() - startedAt };
      do {
        yield* this.#urgent();
        yield "rest";
      } while (clock.now() < startedAt + ROUND_MS);
    }
  }

  /** A list that is due, and lists take no more than half of the time, however long they take. */
  *#urgent(): Generator<Piece> {
    const { clock } = this.#options;
    const now = clock.now();
    if (now < this.#listsRestUntil) return;
    const due = [this.#elements, this.#services].filter(
      ({ isTouched, startedAt, everyMs }) => isTouched || now >= startedAt + everyMs,
    );
    const [list] = due.sort((a, b) => a.startedAt - b.startedAt);
    if (list === undefined) return;
    list.isTouched = false;
    list.startedAt = now;
    yield* list.look();
    this.#listsRestUntil = 2 * clock.now() - now;
  }
}
