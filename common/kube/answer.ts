/** The body of an answer: read with a bound, parsed, or turned into what a KubeError says. */
import type { IncomingMessage } from "node:http";
import { ConnectionError, type KubeAnswer } from "#common/kube/error.ts";
import { http } from "#common/node-http.ts";

export async function readBody(
  response: IncomingMessage,
  limits: { readonly what: string; readonly maxBytes: number },
): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of response) {
      const bytes = chunk as Buffer;
      size += bytes.length;
      if (size > limits.maxBytes) {
        throw new ConnectionError(
          "TOO_LARGE",
          limits.what,
          `the answer is larger than ${limits.maxBytes} bytes`,
        );
      }
      chunks.push(bytes);
    }
  } catch (error) {
    if (error instanceof ConnectionError) throw error;
    throw new ConnectionError("CLOSED_EARLY", limits.what, "the connection ended within the answer", error);
  }
  return Buffer.concat(chunks, size);
}

export function parseJson(what: string, body: Buffer): unknown {
  try {
    return JSON.parse(body.toString("utf8"));
  } catch (error) {
    throw new ConnectionError("NOT_JSON", what, "the answer is not JSON", error);
  }
}

/** The API server's Status object, or as much as a proxy in between lets through. */
export function answerOf(code: number, body: Buffer, retryAfter: string | undefined): KubeAnswer {
  const text = body.toString("utf8");
  const seconds = Number(retryAfter);
  const wait = retryAfter !== undefined && Number.isFinite(seconds) ? { retryAfterSeconds: seconds } : {};
  try {
    const status = JSON.parse(text) as { status?: unknown; reason?: unknown; message?: unknown };
    return {
      code,
      status: String(status.status ?? "Failure"),
      reason: String(status.reason ?? http.STATUS_CODES[code] ?? "Unknown"),
      message: String(status.message ?? ""),
      ...wait,
    };
  } catch {
    // Not the API server's own words: a proxy's page, or plain text ("Unauthorized"). Its beginning must do.
    return {
      code,
      status: "Failure",
      reason: http.STATUS_CODES[code] ?? "Unknown",
      message: text.slice(0, 200),
      ...wait,
    };
  }
}
