import type { Clock } from "#common/clock.ts";
import { ConnectionError } from "#common/kube/error.ts";

/** Ends a call at its time or when its signal aborts, by destroying the request, and remembers why. */
export class Deadline {
  readonly #what: string;
  readonly #signal: AbortSignal | undefined;
  readonly #cancel: () => void;
  readonly #onAbort: () => void;
  #destroy: (() => void) | undefined;
  #reason: ConnectionError | undefined;

  constructor(clock: Clock, options: { what: string; timeoutMs: number; signal: AbortSignal | undefined }) {
    this.#what = options.what;
    this.#signal = options.signal;
    this.#cancel = clock.after(options.timeoutMs, () =>
      this.#fire(
        new ConnectionError("TIMEOUT", options.what, `no whole answer within ${options.timeoutMs} ms`),
      ),
    );
    this.#onAbort = () =>
      this.#fire(new ConnectionError("ABORTED", this.#what, "aborted", this.#signal?.reason));
    this.#signal?.addEventListener("abort", this.#onAbort, { once: true });
    if (this.#signal?.aborted) this.#onAbort();
  }

  attach(destroy: () => void): void {
    this.#destroy = destroy;
    if (this.#reason !== undefined) destroy();
  }

  reason(): ConnectionError | undefined {
    return this.#reason;
  }

  endTimer(): void {
    this.#cancel();
  }

  end(): void {
    this.#cancel();
    this.#signal?.removeEventListener("abort", this.#onAbort);
  }

  #fire(reason: ConnectionError): void {
    this.#reason ??= reason;
    this.#destroy?.();
  }
}
