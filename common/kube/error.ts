/** What can go wrong between us and the API server. */

/** The API server answered, and said no. `code` is the HTTP status, `reason` the API's word (`NotFound`, ...). */
export class KubeError extends Error {
  override readonly name = "KubeError";
  readonly code: number;
  readonly status: string;
  readonly reason: string;
  /** Seconds after which the server asks us to come back; undefined if it did not say. */
  readonly retryAfterSeconds: number | undefined;

  constructor(what: string, answer: KubeAnswer) {
    super(`${what}: ${answer.code} ${shortened(answer.reason)}: ${shortened(answer.message)}`);
    this.code = answer.code;
    this.status = shortened(answer.status);
    this.reason = shortened(answer.reason);
    this.retryAfterSeconds = answer.retryAfterSeconds;
  }
}

export interface KubeAnswer {
  readonly code: number;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
  readonly retryAfterSeconds?: number;
}

/** Why no whole answer came. */
export type ConnectionErrorCode =
  | "TIMEOUT"
  | "ABORTED"
  | "NETWORK"
  | "CLOSED_EARLY"
  | "TOO_LARGE"
  | "NOT_JSON"
  /** JSON, and not what the API promises. */
  | "MALFORMED";

/**
 * Largest object that is read, alone or as an event. It has 1.5 MiB in etcd at most, and six times that as JSON if
 * every character of it must be escaped.
 */
export const MAX_OBJECT_BYTES = 16 * 2 ** 20;

/** Characters of the server's words that an error carries: they end in logs, events and conditions. */
const MAX_WORDS = 2_000;

/** The API server did not answer, or not with something that we can read. `cause` has the system's error. */
export class ConnectionError extends Error {
  override readonly name = "ConnectionError";
  readonly code: ConnectionErrorCode;

  constructor(code: ConnectionErrorCode, what: string, detail: string, cause?: unknown) {
    super(`${what}: ${detail}`, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}

/** How to reach the API server cannot be read from the environment or a kubeconfig. */
export class ConfigurationError extends Error {
  override readonly name = "ConfigurationError";
  readonly code = "CONFIGURATION";
}

/** The answer, or one object of it, is larger than what is read. */
export const isTooLarge = (error: unknown): boolean =>
  error instanceof ConnectionError && error.code === "TOO_LARGE";
/** An answer came, and nothing can be done with it: asking for the very same again will seldom help. */
export const isUnreadable = (error: unknown): boolean =>
  error instanceof ConnectionError && UNREADABLE.includes(error.code);

const UNREADABLE: readonly ConnectionErrorCode[] = ["TOO_LARGE", "NOT_JSON", "MALFORMED"];

export const isNotFound = (error: unknown): boolean => hasCode(error, 404);
/** Somebody else wrote first (replace, patch with a resourceVersion), or the object is there already (create). */
export const isConflict = (error: unknown): boolean => hasCode(error, 409);
/** The resourceVersion or continue token is too old: list again. */
export const isGone = (error: unknown): boolean => hasCode(error, 410);

function hasCode(error: unknown, code: number): boolean {
  return error instanceof KubeError && error.code === code;
}

function shortened(words: string): string {
  return words.length <= MAX_WORDS ? words : `${words.slice(0, MAX_WORDS)}...`;
}
