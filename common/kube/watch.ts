/** A watch as an async iterable: one JSON record a line, for as long as the server keeps it open. */
import { statusOf } from "#common/kube/answer.ts";
import { ConnectionError, KubeError, MAX_OBJECT_BYTES } from "#common/kube/error.ts";
import { LineSplitter } from "#common/kube/lines.ts";
import { keptObject } from "#common/kube/shape.ts";
import type { Transport } from "#common/kube/transport.ts";
import type { KubeObject } from "#common/kube/wire.ts";

export type WatchEvent<T> =
  | { readonly type: "ADDED" | "MODIFIED" | "DELETED"; readonly object: T }
  /** Nothing changed up to this version: a watch may resume from it. */
  | { readonly type: "BOOKMARK"; readonly resourceVersion: string };

export interface WatchRequest {
  readonly path: string;
  readonly query: URLSearchParams;
  readonly onContact?: (() => void) | undefined;
}

/** An object, and a little around it. */
const MAX_LINE_BYTES = MAX_OBJECT_BYTES + 2 ** 10;

/** Milliseconds for the head of the answer: a watch that opens late may have missed nothing, but says nothing. */
const HEAD_TIMEOUT_MS = 30_000;

export async function* watchEvents<T extends KubeObject>(
  transport: Transport,
  request: WatchRequest,
  signal: AbortSignal,
): AsyncGenerator<WatchEvent<T>, void, undefined> {
  if (signal.aborted) return;
  const what = `watch ${request.path}`;
  const { path, query } = request;
  const lines = new LineSplitter(MAX_LINE_BYTES);
  try {
    const response = await transport.stream({
      method: "GET",
      path,
      query,
      signal,
      timeoutMs: HEAD_TIMEOUT_MS,
    });
    request.onContact?.();
    for await (const chunk of response) {
      request.onContact?.();
      for (const line of lines.push(chunk as Buffer)) yield decodeEvent<T>(what, line);
    }
  } catch (error) {
    if (signal.aborted) return;
    if (error instanceof KubeError || error instanceof ConnectionError) throw error;
    throw new ConnectionError("CLOSED_EARLY", what, "the connection broke", error);
  }
  if (lines.pending > 0 && !signal.aborted) {
    throw new ConnectionError("CLOSED_EARLY", what, "the connection ended within a record");
  }
}

/** One record; KubeError for the server's ERROR record (410 when the version is too old), ConnectionError if unreadable. */
function decodeEvent<T extends KubeObject>(what: string, line: Buffer): WatchEvent<T> {
  let record: { type?: unknown; object?: unknown };
  try {
    record = JSON.parse(line.toString("utf8")) as typeof record;
  } catch (error) {
    throw new ConnectionError("NOT_JSON", what, "a record is not JSON", error);
  }
  const object = record?.object;
  switch (record?.type) {
    case "ERROR": {
      const code = Number((object as { code?: unknown } | null | undefined)?.code);
      throw new KubeError(what, statusOf(object, Number.isInteger(code) ? code : 500));
    }
    case "ADDED":
    case "MODIFIED":
    case "DELETED":
      return { type: record.type, object: keptObject<T>(what, object) };
    case "BOOKMARK": {
      const version = (object as Partial<KubeObject> | null | undefined)?.metadata?.resourceVersion;
      if (typeof version === "string" && version !== "")
        return { type: "BOOKMARK", resourceVersion: version };
      throw new ConnectionError("MALFORMED", what, "a bookmark without a version");
    }
    default: {
      const type = JSON.stringify(record?.type)?.slice(0, 40) ?? "none";
      throw new ConnectionError("MALFORMED", what, `a record whose type is ${type}`);
    }
  }
}
