/** A trouble that is looked for again and again, beside the passes: said when it came, changed or went, and not each time. */
import type { Reason } from "#api/v1beta1/reasons.ts";
import { errorText } from "#common/error.ts";
import type { Logger } from "#common/log.ts";
import type { Trouble } from "./apply.ts";

export interface NotedTroubleOptions {
  readonly log: Pick<Logger, "info" | "warn">;
  /** The trouble came, changed or went. */
  readonly onChange: () => void;
  readonly words: {
    /** There is one. */
    readonly here: string;
    readonly gone: string;
    /** It cannot be looked for. */
    readonly unseen: string;
  };
}

export class NotedTrouble<R extends Reason> {
  readonly #options: NotedTroubleOptions;
  #current: Trouble<R> | undefined;
  /** Of the last look; "" if it succeeded. */
  #failure = "";

  constructor(options: NotedTroubleOptions) {
    this.#options = options;
  }

  /** undefined: there is none, or nobody knows. */
  get current(): Trouble<R> | undefined {
    return this.#current;
  }

  /** What a look has found. */
  set(trouble: Trouble<R> | undefined): void {
    const before = this.#current;
    if (trouble?.reason === before?.reason && trouble?.message === before?.message) return;
    this.#current = trouble;
    const { log, onChange, words } = this.#options;
    if (trouble === undefined) log.info(words.gone);
    else log.warn(words.here, { reason: trouble.reason, why: trouble.message });
    onChange();
  }

  /** A look was made, whatever it finds. */
  looked(): void {
    this.#failure = "";
  }

  /** A look could not be made: what is known stays. */
  failed(error: unknown): void {
    const text = errorText(error);
    if (text !== this.#failure) this.#options.log.warn(this.#options.words.unseen, { error: text });
    this.#failure = text;
  }
}
