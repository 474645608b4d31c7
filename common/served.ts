/** A server that is no reason for its process to end: while it cannot be had, it is tried again. */
import type { Clock } from "#common/clock.ts";

export interface ServedOptions {
  readonly clock: Pick<Clock, "sleep">;
  readonly retryMs: number;
  /** Resolves when it answers. */
  readonly serve: () => Promise<{ readonly close: () => Promise<void> }>;
  /** Told of the first failure alone. */
  readonly onFailure: (error: unknown) => void;
}

/** Until `signal` aborts; never rejects, whatever `serve` does. */
export async function keepServed(options: ServedOptions, signal: AbortSignal): Promise<void> {
  const { clock, retryMs, serve, onFailure } = options;
  for (let attempt = 0; !signal.aborted; attempt += 1) {
    try {
      const server = await serve();
      await new Promise<void>((resolve) => {
        if (signal.aborted) resolve();
        else signal.addEventListener("abort", () => resolve(), { once: true });
      });
      await server.close();
    } catch (error) {
      if (attempt === 0) onFailure(error);
      await clock.sleep(retryMs, signal);
    }
  }
}
