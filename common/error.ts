/** Errors as plain values, for logs, events and status. */

/** An error without its methods: what a log line holds. */
export interface ErrorDescription {
  readonly name: string;
  readonly message: string;
  readonly code?: string | number;
  readonly cause?: ErrorDescription;
  readonly stack?: string;
  readonly [detail: string]: unknown;
}

/** How deep causes are followed: a chain that points back at itself must end. */
const MAX_DEPTH = 5;

/** Name, message, code, own enumerable fields and the chain of causes. Stack only of the outermost. */
export function describeError(error: unknown, depth = 0): ErrorDescription {
  if (!(error instanceof Error)) return { name: typeof error, message: String(error) };
  const cause =
    error.cause === undefined || depth >= MAX_DEPTH ? undefined : describeError(error.cause, depth + 1);
  return {
    ...detailsOf(error),
    name: error.name,
    message: error.message,
    ...(cause === undefined ? {} : { cause }),
    ...(depth === 0 && error.stack !== undefined ? { stack: error.stack } : {}),
  };
}

/** `message: cause's message: ...`, one line, for conditions and events. */
export function errorText(error: unknown): string {
  const parts: string[] = [];
  for (let at: unknown = error, depth = 0; at !== undefined && depth <= MAX_DEPTH; depth += 1) {
    const text = at instanceof Error ? at.message : String(at);
    if (!parts.some((part) => part.includes(text))) parts.push(text);
    at = at instanceof Error ? at.cause : undefined;
  }
  return parts.join(": ");
}

function detailsOf(error: Error): Record<string, unknown> {
  const details: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(error)) {
    if (name !== "cause" && typeof value !== "function")
      details[name] = typeof value === "bigint" ? value.toString() : value;
  }
  return details;
}
