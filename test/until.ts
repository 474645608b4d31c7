/** Waiting in tests: for a condition, with a deadline, never for a length of time. */

export interface UntilOptions {
  /** Milliseconds until the wait fails; default 10,000. */
  readonly deadlineMs?: number;
  /** Milliseconds between two looks; default 20. */
  readonly everyMs?: number;
}

/** The condition did not come true in time; `cause` is what the last look threw, if it threw. */
export class DeadlineError extends Error {
  override readonly name = "DeadlineError";
  readonly code = "DEADLINE";
}

/**
 * Calls `look` until it returns something else than undefined, null or false, and resolves to that. A look that
 * throws counts as "not yet". `what` reads after "waited for": `until("a leader", ...)`.
 */
export async function until<T>(
  what: string,
  look: () => T | Promise<T>,
  options: UntilOptions = {},
): Promise<Exclude<T, undefined | null | false>> {
  const { deadlineMs = 10_000, everyMs = 20 } = options;
  const end = performance.now() + deadlineMs;
  let last: unknown;
  for (;;) {
    try {
      const value = await look();
      if (value !== undefined && value !== null && value !== false) {
        return value as Exclude<T, undefined | null | false>;
      }
      last = undefined;
    } catch (error) {
      last = error;
    }
    if (performance.now() >= end) {
      const why = last instanceof Error ? `; last look: ${last.message}` : "";
      throw new DeadlineError(`waited ${deadlineMs} ms for ${what}${why}`, { cause: last });
    }
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}
