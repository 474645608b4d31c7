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
    super(`${what}: ${answer.code} ${answer.reason}: ${answer.message}`);
    this.code = answer.code;
    this.status = answer.status;
    this.reason = answer.reason;
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
  | "NOT_JSON";

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

export const isNotFound = (error: unknown): boolean => hasCode(error, 404);
/** Somebody else wrote first (replace, patch with a resourceVersion), or the object is there already (create). */
export const isConflict = (error: unknown): boolean => hasCode(error, 409);
/** The resourceVersion or continue token is too old: list again. */
export const isGone = (error: unknown): boolean => hasCode(error, 410);

function hasCode(error: unknown, code: number): boolean {
  return error instanceof KubeError && error.code === code;
}
