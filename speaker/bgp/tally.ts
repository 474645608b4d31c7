/** What a session has to say of itself besides its state: counts, and why it was last lost. */
import type { Clock } from "#common/clock.ts";
import type { Negotiated } from "./negotiated.ts";
import type { SessionReport, SessionState } from "./types.ts";

export interface TallyFacts {
  readonly peer: string;
  readonly address: string;
  readonly state: SessionState;
  readonly negotiated: Negotiated | undefined;
  readonly prefixesAdvertised: number;
  readonly prefixesReceived: number;
  readonly prefixesKeptBack: number;
  readonly prefixesWithoutNextHop: number;
  readonly warning: string | undefined;
}

export class Tally {
  readonly #clock: Pick<Clock, "date">;
  #establishedAt: Date | undefined;
  #lastError: { readonly words: string; readonly at: Date } | undefined;
  messagesIn = 0;
  messagesOut = 0;
  updatesOut = 0;
  #losses = 0;
  /** Why the session was lost, until it is back: attempts that fail meanwhile do not hide it. */
  #loss: string | undefined;

  constructor(clock: Pick<Clock, "date">) {
    this.#clock = clock;
  }

  get lastError(): string | undefined {
    return this.#lastError?.words;
  }

  /** Why the session, or an attempt at one, ended. */
  fail(words: string): void {
    const told = this.#loss === undefined ? words : `${this.#loss}; since then: ${words}`;
    this.#lastError = { words: told, at: this.#clock.date() };
  }

  established(): void {
    this.#establishedAt = this.#clock.date();
    this.#loss = undefined;
  }

  lost(): void {
    this.#losses += 1;
    this.#loss = this.#lastError?.words;
    this.#establishedAt = undefined;
  }

  report({ negotiated, warning, ...facts }: TallyFacts): SessionReport {
    const isEstablished = facts.state === "Established";
    return {
      ...facts,
      messagesIn: this.messagesIn,
      messagesOut: this.messagesOut,
      updatesOut: this.updatesOut,
      losses: this.#losses,
      ...(isEstablished && this.#establishedAt && { establishedAt: this.#establishedAt.toISOString() }),
      ...(isEstablished &&
        negotiated && { remoteAsn: negotiated.remoteAsn, holdTimeMs: negotiated.holdTimeMs }),
      ...(warning !== undefined && { warning }),
      ...(this.#lastError && {
        lastError: this.#lastError.words,
        lastErrorAt: this.#lastError.at.toISOString(),
      }),
    };
  }
}
