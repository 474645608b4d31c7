/** Runs a role's main: signals become an AbortSignal, the end becomes an exit code, nothing fails unheard. */
import type { Clock } from "#common/clock.ts";
import { describeError } from "#common/error.ts";
import type { Logger } from "#common/log.ts";

export interface MainOptions {
  readonly log: Logger;
  readonly clock: Clock;
  /** Ends when its work is done or soon after `signal` aborts. */
  readonly main: (signal: AbortSignal) => Promise<void>;
  /** Milliseconds from the signal to a forced end; default 25,000 (a pod gets 30 s). */
  readonly graceMs?: number;
  /** Tests put their own here. */
  readonly process?: ProcessLike;
}

export interface ProcessLike {
  on(event: string, listener: (argument: unknown) => void): unknown;
  exit(code: number): void;
}

/**
 * Exit codes: 0 after an orderly end, 1 after an error or a forced end. SIGTERM and SIGINT abort the signal; a
 * second one, or the end of the grace time, forces the end.
 */
export async function runMain(options: MainOptions): Promise<void> {
  const { log, clock, graceMs = 25_000 } = options;
  const host: ProcessLike = options.process ?? process;
  const stop = new AbortController();
  const fail = (what: string, error: unknown): void => {
    log.error(what, { error: describeError(error) });
    // Standard output to a pipe is written behind our back: the last record gets a moment before the exit.
    setImmediate(() => host.exit(1));
  };
  const onSignal = (name: string): void => {
    if (stop.signal.aborted) {
      fail("stopping at once", new ForcedEnd(`second signal: ${name}`));
      return;
    }
    log.info("stopping", { signal: name });
    stop.abort();
    clock.after(graceMs, () =>
      fail("stopping at once", new ForcedEnd(`not done ${graceMs} ms after ${name}`)),
    );
  };
  host.on("SIGTERM", () => onSignal("SIGTERM"));
  host.on("SIGINT", () => onSignal("SIGINT"));
  host.on("unhandledRejection", (error) => fail("unhandled rejection", error));
  host.on("uncaughtException", (error) => fail("uncaught exception", error));
  try {
    await options.main(stop.signal);
    log.info("stopped");
    setImmediate(() => host.exit(0));
  } catch (error) {
    fail("main failed", error);
  }
}

/** The process did not end by itself. */
class ForcedEnd extends Error {
  readonly code = "FORCED_END";
}
