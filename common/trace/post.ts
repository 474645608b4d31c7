/** One request with a body of JSON to a collector. */
import type { ClientRequest, IncomingMessage } from "node:http";
import { http } from "#common/node-http.ts";

const TIMEOUT_MS = 3_000;

/** The collector did not take it. */
export class CollectorError extends Error {
  override readonly name = "CollectorError";
  readonly code = "COLLECTOR";
}

/** Resolves when it was taken. Throws CollectorError, and what node:http throws. */
export async function post(url: string, body: string): Promise<void> {
  const { request } = url.startsWith("https:") ? await import("node:https") : http;
  await new Promise<void>((resolve, reject) => {
    const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(body) };
    const asked: ClientRequest = request(
      url,
      { method: "POST", headers, signal: AbortSignal.timeout(TIMEOUT_MS) },
      (answer: IncomingMessage) => {
        // What it says is not read: only whether it was taken.
        answer.resume();
        answer.once("error", reject);
        const { statusCode = 0 } = answer;
        if (statusCode >= 200 && statusCode < 300) answer.once("end", resolve);
        else reject(new CollectorError(`${url} answers ${statusCode}`));
      },
    );
    asked.once("error", reject);
    asked.end(body);
  });
}
