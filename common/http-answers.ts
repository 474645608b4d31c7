/**
 * A small server that answers GET and reads no body, over HTTP or HTTPS. Whoever can reach the port may open connections
 * and leave them: they take no place from those who ask, and little memory.
 */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { createServer as createSecureServer, type Server as SecureServer } from "node:https";
import type { AddressInfo } from "node:net";
import { Connections } from "#common/connections.ts";
import { describeError } from "#common/error.ts";
import { SERVER_TIMES, SILENCE_MS } from "#common/http-limits.ts";
import type { KeyPair } from "#common/key-pair.ts";
import type { Logger } from "#common/log.ts";
import type { Metrics } from "#common/metrics.ts";
import { http } from "#common/node-http.ts";

export interface Answer {
  readonly code: number;
  readonly body: string;
  readonly contentType?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface AnswersOptions {
  /** 0 takes a free one; `port` of the result says which. */
  readonly port: number;
  /** Default: every address of the host. */
  readonly host?: string;
  readonly log: Logger;
  /** HTTPS with this. */
  readonly pair?: KeyPair;
  /** Connections at once; default 256. */
  readonly mostConnections?: number;
  /** Counts connections that were closed for others. */
  readonly counters?: Metrics;
  /** For GET and HEAD; `path` has no query. What it throws is a 500 without a word of it. */
  readonly answer: (path: string, request: IncomingMessage) => Answer | Promise<Answer>;
}

export interface HttpServer {
  readonly port: number;
  close(): Promise<void>;
}

/** ... and what swaps its certificate, if it has one. */
export interface AnswersServer extends HttpServer {
  readonly secure?: SecureServer;
}

/** The port cannot be had. */
export class HttpListenError extends Error {
  override readonly name = "HttpListenError";
  readonly code = "HTTP_LISTEN";
}

export const NOT_FOUND: Answer = { code: 404, body: "not found\n" };

/**
 * More than a kubelet and some scrapers ever have. It is also the time that a newcomer has to ask: only so many others
 * that come in after it and before its question could close it.
 */
const MOST_CONNECTIONS = 256;
/** Pages of metrics that are not read yet: some hundred KiB each in a large cluster. */
const MOST_BYTES = 16 * 1024 * 1024;
/** A kubelet opens a connection for each probe, and a scraper comes back later than it is worth waiting. */
const KEEP_ALIVE_MS = 5_000;
/** A token alone may have some KiB. */
const MAX_HEADER = 16_384;

/** Listens until `signal` aborts or `close`. HttpListenError if the port cannot be had. */
export async function serveAnswers(options: AnswersOptions, signal?: AbortSignal): Promise<AnswersServer> {
  const { counters, pair } = options;
  const connections = new Connections({
    most: options.mostConnections ?? MOST_CONNECTIONS,
    mostBytes: MOST_BYTES,
    onClosed: () => counters?.count("genkan_http_connections_closed_total", {}),
  });
  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    const { socket } = request;
    void connections
      .during(socket, async () => await answerTo(options, request))
      .catch((error: unknown): Answer => {
        options.log.error("request failed", { path: pathOf(request), error: describeError(error) });
        return { code: 500, body: "internal error\n" };
      })
      .then((reply) => {
        response.once("close", connections.hold(socket, reply.body.length));
        send(response, request, reply);
      });
  };
  const limits = { ...SERVER_TIMES, keepAliveTimeout: KEEP_ALIVE_MS, maxHeaderSize: MAX_HEADER };
  const secure =
    pair === undefined
      ? undefined
      : createSecureServer({ ...pair, ...limits, minVersion: "TLSv1.2" }, onRequest);
  const server = secure ?? http.createServer(limits, onRequest);
  server.timeout = SILENCE_MS;
  connections.watch(server);
  await listen(server, options);
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      connections.closeAll();
    });
  signal?.addEventListener("abort", () => void close(), { once: true });
  const { port } = server.address() as AddressInfo;
  return { port, close, ...(secure !== undefined && { secure }) };
}

async function answerTo(options: AnswersOptions, request: IncomingMessage): Promise<Answer> {
  if (request.method !== "GET" && request.method !== "HEAD") return { code: 405, body: "only GET\n" };
  return await options.answer(pathOf(request), request);
}

/** Without the query, where callers put what is not meant for logs. */
function pathOf(request: IncomingMessage): string {
  return (request.url ?? "/").split("?", 1)[0] ?? "/";
}

function send(response: ServerResponse, request: IncomingMessage, reply: Answer): void {
  response.writeHead(reply.code, {
    "content-type": reply.contentType ?? "text/plain; charset=utf-8",
    "content-length": Buffer.byteLength(reply.body),
    ...reply.headers,
  });
  response.end(request.method === "HEAD" ? undefined : reply.body);
}

function listen(server: Server, { port, host }: AnswersOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error) =>
      reject(new HttpListenError(`listen on port ${port}: ${error.message}`, { cause: error })),
    );
    server.listen({ port, ...(host === undefined ? {} : { host }) }, resolve);
  });
}
