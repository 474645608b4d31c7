/** Waiting in tests: for a condition, with a deadline, never for a length of time. */
import { isDeepStrictEqual } from "node:util";
import { isBusy } from "#hack/common/load.ts";
import { watchLoad } from "#test/bar.ts";

export interface UntilOptions {
  /** Milliseconds until the wait fails; default 30,000. */
  readonly deadlineMs?: number;
  /** Milliseconds between two looks. Default: 1, then twice as many each time, up to 20: most of what is waited for is near. */
  readonly everyMs?: number;
  /** Told that it waits on; standard error if not given. */
  readonly tell?: (line: string) => void;
  /** Begins to watch the load; what it resolves to says in words how busy the machine was since, or undefined. */
  readonly watch?: () => Promise<() => Promise<string | undefined>>;
}

/** The condition did not come true in time; `cause` is what the last look threw, if it threw. */
export class DeadlineError extends Error {
  override readonly name = "DeadlineError";
  readonly code = "DEADLINE";
}

const LONGEST_PAUSE_MS = 20;

/** Between two looks at what has to stay as it is: longer than what a process does late by itself. */
const STAYS_MS = 1_000;

/** A busy machine has so many times the deadline: deadlines are for what never comes. Speed is judged elsewhere. */
const PATIENCE = 4;

/**
 * Calls `look` until it returns something else than undefined, null or false, and resolves to that. A look that
 * throws counts as "not yet". `what` reads after "waited for": `until("a leader", ...)`.
 */
export async function until<T>(
  what: string,
  look: () => T | Promise<T>,
  options: UntilOptions = {},
): Promise<Exclude<T, undefined | null | false>> {
  const { deadlineMs = 30_000, everyMs, watch = () => watchLoad(isBusy), tell = console.error } = options;
  const began = performance.now();
  let end = began + deadlineMs;
  let busyness: ReturnType<typeof watch> | undefined;
  let pauseMs = everyMs ?? 1;
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
      const words = end > began + deadlineMs ? undefined : await (await busyness)?.();
      if (words === undefined) {
        const why = last instanceof Error ? `; last look: ${last.message}` : "";
        const waitedMs = Math.round(end - began);
        throw new DeadlineError(`waited ${waitedMs} ms for ${what}${why}`, { cause: last });
      }
      tell(`waited ${deadlineMs} ms for ${what}, and waits on: ${words}`);
      end = began + deadlineMs * PATIENCE;
    }
    busyness ??= watch();
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
    if (everyMs === undefined) pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
  }
}

/**
 * Waits until two looks, a second apart, see the same, and resolves to it: what others still write, send or tell by
 * themselves has come. `what` reads after "waited for", as in until().
 */
export async function settled<T>(
  what: string,
  look: () => T | Promise<T>,
  { deadlineMs = 30_000, everyMs = STAYS_MS, ...rest }: UntilOptions = {},
): Promise<T> {
  let last: { readonly seen: T } | undefined;
  return await until(
    what,
    async () => {
      const seen = await look();
      const isSame = last !== undefined && isDeepStrictEqual(seen, last.seen);
      last = { seen };
      return isSame && last;
    },
    { deadlineMs, everyMs, ...rest },
  ).then(({ seen }) => seen);
}
