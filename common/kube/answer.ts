/** The body of an answer: read with a bound, parsed, or turned into what a KubeError says. */
import type { IncomingMessage } from "node:http";
import { ConnectionError, type KubeAnswer } from "#common/kube/error.ts";
import { http } from "#common/node-http.ts";

/**
 * The chunks of an answer as they arrive; a connection that breaks within is a ConnectionError. Whoever stops early
 * ends the connection.
 */
export async function* chunksOf(
  response: IncomingMessage,
  what: string,
): AsyncGenerator<Buffer, void, undefined> {
  try {
    for await (const chunk of response) yield chunk as Buffer;
  } catch (error) {
    throw new ConnectionError("CLOSED_EARLY", what, "the connection ended within the answer", error);
  }
}

export async function readBody(
  response: IncomingMessage,
  limits: { readonly what: string; readonly maxBytes: number },
): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of chunksOf(response, limits.what)) {
    size += chunk.length;
    if (size > limits.maxBytes) {
      throw new ConnectionError(
        "TOO_LARGE",
        limits.what,
        `the answer is larger than ${limits.maxBytes} bytes`,
      );
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size);
}

/**
 * At least the beginning of an error's body. The code in its head is what counts: neither a page without an end nor a
 * connection that breaks within may hide it.
 */
export async function readBeginning(response: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of response) {
      chunks.push(chunk as Buffer);
      size += (chunk as Buffer).length;
      if (size >= maxBytes) break;
    }
  } catch {
    // What arrived must do.
  }
  return Buffer.concat(chunks, size).subarray(0, maxBytes);
}

export function parseJson(what: string, body: Buffer): unknown {
  try {
    return JSON.parse(body.toString("utf8"));
  } catch (error) {
    throw new ConnectionError("NOT_JSON", what, "the answer is not JSON", error);
  }
}

/** What an error is made of: the code and Retry-After of its head, its body, and the date now. */
export interface ErrorAnswer {
  readonly code: number;
  readonly body: Buffer;
  readonly retryAfter: string | undefined;
  readonly date: Date;
}

/** The API server's Status object, or as much as a proxy in between lets through. */
export function answerOf({ code, body, retryAfter, date }: ErrorAnswer): KubeAnswer {
  const text = body.toString("utf8");
  try {
    return { ...statusOf(JSON.parse(text), code), ...wait(secondsOf(retryAfter, date)) };
  } catch {
    // Not a Status of the API server but a proxy's page or plain text ("Unauthorized"): the message is its beginning.
    return {
      code,
      status: "Failure",
      reason: http.STATUS_CODES[code] ?? "Unknown",
      message: text.slice(0, 200),
      ...wait(secondsOf(retryAfter, date)),
    };
  }
}

/** A Status object's words; whatever is no Status gives `code` alone. */
export function statusOf(value: unknown, code: number): KubeAnswer {
  const status = (value ?? {}) as Readonly<Record<string, unknown>>;
  const details = (status.details ?? {}) as { readonly retryAfterSeconds?: unknown };
  const seconds = details.retryAfterSeconds;
  return {
    code,
    status: textOr(status.status, "Failure"),
    reason: textOr(status.reason, http.STATUS_CODES[code] ?? "Unknown"),
    message: textOr(status.message, ""),
    ...wait(typeof seconds === "number" && seconds > 0 ? seconds : undefined),
  };
}

function textOr(value: unknown, otherwise: string): string {
  return typeof value === "string" ? value : otherwise;
}

/** RFC 9110 section 10.2.3: seconds, or a date (a proxy's way). */
function secondsOf(retryAfter: string | undefined, now: Date): number | undefined {
  if (retryAfter === undefined || retryAfter.trim() === "") return undefined;
  const seconds = Number(retryAfter);
  if (Number.isFinite(seconds)) return Math.max(0, seconds);
  const date = Date.parse(retryAfter);
  return Number.isNaN(date) ? undefined : Math.max(0, (date - now.getTime()) / 1_000);
}

function wait(seconds: number | undefined): { retryAfterSeconds?: number } {
  return seconds === undefined ? {} : { retryAfterSeconds: seconds };
}
