/** Questions to the console's server. The token is kept in this page's memory alone: a reload forgets it. */

/** The server's words, and its status code. */
export class AskError extends Error {
  override readonly name = "AskError";
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

const TIMEOUT_MS = 30_000;

/** `path` is relative, so that the page may stand behind any prefix. AskError. */
export async function ask<T>(path: string, token: string, signal?: AbortSignal): Promise<T> {
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  let response: Response;
  try {
    response = await fetch(path, {
      headers: { authorization: `Bearer ${token}` },
      credentials: "omit",
      cache: "no-store",
      signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new AskError(0, "The console does not answer. Does kubectl port-forward still run?");
  }
  const value: unknown = await response.json().catch(() => ({}));
  if (response.ok) return value as T;
  const { error } = value as { readonly error?: string };
  throw new AskError(response.status, error ?? `The console answers with ${response.status}.`);
}
