/**
 * What a reflector does about failures in a row: how long it waits, what it counts, and what it says.
 *
 * - The wait doubles by chance up to a cap. It is short where the server is away, so that everybody is back soon after
 *   it; it is client-go's half a minute where the server answers and the answer is of no use, since asking again costs
 *   it work and will seldom help.
 * - A version that is too old (410) is what a server says that was away and is back: the first one after other failures
 *   waits as if nothing had failed before, or everybody would come back half a minute late.
 * - Retry-After is added to that and never shortened by it, up to a bound: no server can send us away for hours.
 * - Each cause is told when it is new, and again after some minutes with how often it came: a server that is broken for
 *   days, in one way or in two in turn, fills no disk.
 */
import type { Clock } from "#common/clock.ts";
import { errorText } from "#common/error.ts";
import { ConnectionError, isGone, isUnreadable, KubeError } from "#common/kube/error.ts";
import type { Logger } from "#common/log.ts";
import { backoff, type Random } from "#common/random.ts";

export interface SetbacksOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly backoffMs: { readonly baseMs: number; readonly capMs: number };
  /** Told of each failure. */
  readonly onCause?: (cause: string) => void;
}

/** Told of each failure to list or watch a resource (its plural), for metrics; causes are few words. */
export type OnSetback = (resource: string, cause: string) => void;

/** Cap of the wait after answers that are of no use. */
const USELESS_CAP_MS = 30_000;
const MAX_RETRY_AFTER_MS = 60_000;
const LOG_AGAIN_MS = 300_000;
/** Characters of an error in a log line. */
const MAX_TEXT = 1_000;

/** A failure that the reflector itself found; `code` is its cause. */
export class ReflectorError extends Error {
  override readonly name = "ReflectorError";
  readonly code: "SILENT" | "SHORT_WATCH" | "ENDLESS_LIST";

  constructor(code: ReflectorError["code"], message: string) {
    super(message);
    this.code = code;
  }
}

export class Setbacks {
  readonly #options: SetbacksOptions;
  readonly #told = new Map<string, { at: number; unsaid: number }>();
  readonly #causes: Record<string, number> = {};
  #inRow = 0;
  #goneInRow = 0;

  constructor(options: SetbacksOptions) {
    this.#options = options;
  }

  /** Failures since the start by cause. */
  causes(): Readonly<Record<string, number>> {
    return { ...this.#causes };
  }

  /** Something good came for long enough: the next failure is the first of a row. */
  reset(): void {
    this.#inRow = 0;
    this.#goneInRow = 0;
  }

  /** Counts and logs `error`; returns the milliseconds to wait. */
  note(error: unknown): number {
    const { backoffMs, random } = this.#options;
    const failures = isGone(error) ? ++this.#goneInRow : ++this.#inRow;
    const capMs = isUseless(error) ? Math.max(USELESS_CAP_MS, backoffMs.capMs) : backoffMs.capMs;
    const waitMs = backoff(failures, { ...backoffMs, capMs }, random) + retryAfterMs(error);
    this.log(causeOf(error), `${happened(error)}, going on with what is known`, {
      error: errorText(error).slice(0, MAX_TEXT),
      failures,
      waitMs: Math.round(waitMs),
    });
    return waitMs;
  }

  /** Counts `cause` and logs a warning, unless there was one a short while ago. */
  log(cause: string, message: string, fields: Readonly<Record<string, unknown>>): void {
    const { clock, log, onCause } = this.#options;
    const now = clock.now();
    onCause?.(cause);
    this.#causes[cause] = (this.#causes[cause] ?? 0) + 1;
    const told = this.#told.get(cause);
    if (told !== undefined && now - told.at < LOG_AGAIN_MS) {
      told.unsaid += 1;
      log.debug(message, { cause, ...fields });
      return;
    }
    log.warn(message, { cause, ...fields, ...(told === undefined ? {} : { unsaid: told.unsaid }) });
    this.#told.set(cause, { at: now, unsaid: 0 });
  }
}

/** Codes that API servers and proxies answer with; for any other code the class is reported. */
const HTTP_CODES: ReadonlySet<number> = new Set([
  400, 401, 403, 404, 405, 408, 409, 410, 413, 415, 422, 429, 500, 501, 502, 503, 504,
]);

/** A word from a short list: codes of ours, HTTP's codes, and OTHER. Whatever a server answers, there are not more. */
export function causeOf(error: unknown): string {
  if (error instanceof KubeError) {
    return `HTTP_${HTTP_CODES.has(error.code) ? error.code : `${Math.floor(error.code / 100)}XX`}`;
  }
  if (error instanceof ConnectionError || error instanceof ReflectorError) return error.code;
  return "OTHER";
}

function happened(error: unknown): string {
  if (isUseless(error)) return "the API server's answer is of no use";
  if (error instanceof KubeError) return "the API server refuses";
  if (error instanceof ReflectorError && error.code === "SHORT_WATCH")
    return "the API server ends watches at once";
  return "lost contact with the API server";
}

function isUseless(error: unknown): boolean {
  if (error instanceof ReflectorError) return error.code === "ENDLESS_LIST";
  return isUnreadable(error) || isGone(error);
}

function retryAfterMs(error: unknown): number {
  const seconds = error instanceof KubeError ? (error.retryAfterSeconds ?? 0) : 0;
  return Math.min(seconds * 1_000, MAX_RETRY_AFTER_MS);
}
