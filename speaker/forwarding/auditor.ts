/**
 * The audit, which goes on all the time while nothing else is done: slice by slice, round after round. nftables says
 * when somebody else has changed it, so its sets are looked at then, and otherwise now and then. IPVS says nothing, so
 * the list of its services is looked at every few seconds, and the services' real servers one after the other.
 */
import type { Clock } from "#common/clock.ts";
import type { Audit, Piece } from "#speaker/forwarding/audit.ts";
import { SLICE_MS } from "#speaker/forwarding/slices.ts";

/** The pause between two slices. An audit takes at most about a twentieth of the thread's time. */
export const SLICE_EVERY_MS = 150;
/** How often the services are listed. */
const SERVICES_EVERY_MS = 3_000;
/** How often all sets are looked at, even if nftables says that nobody has changed them. */
const ELEMENTS_EVERY_MS = 60_000;
/** The time from the begin of one round to the begin of the next. */
const ROUND_MS = 2_500;

export interface AuditorOptions {
  readonly audit: Audit;
  readonly clock: Pick<Clock, "now">;
  /** A number that changes when somebody else changes nftables. */
  readonly epoch: () => number;
}

export class Auditor {
  readonly #options: AuditorOptions;
  #work: Generator<Piece | "rest", void>;
  #epoch: number | undefined;
  #isTouched = false;
  #elementsAt: number;
  #servicesAt: number;
  /** When the last whole round ended, and how long it took. */
  #lastRound: { readonly endedAt: number; readonly tookMs: number } | undefined;

  /** Call it when everything has just been audited. */
  constructor(options: AuditorOptions) {
    this.#options = options;
    this.#elementsAt = options.clock.now();
    this.#servicesAt = options.clock.now();
    this.#work = this.#rounds();
  }

  get lastRound(): { readonly endedAt: number; readonly tookMs: number } | undefined {
    return this.#lastRound;
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
    if (this.#epoch !== now && this.#epoch !== undefined) this.#isTouched = true;
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
      for (const _ of audit.destinations()) {
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

  *#urgent(): Generator<Piece> {
    const { audit, clock } = this.#options;
    if (this.#isTouched || clock.now() >= this.#elementsAt + ELEMENTS_EVERY_MS) {
      this.#isTouched = false;
      this.#elementsAt = clock.now();
      yield* audit.elements();
    }
    if (clock.now() >= this.#servicesAt + SERVICES_EVERY_MS) {
      this.#servicesAt = clock.now();
      yield* audit.services();
    }
  }
}
