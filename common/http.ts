/** Health, readiness, metrics and the present plan over HTTP. Answers GET only, reads no body, keeps few connections. */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { describeError } from "#common/error.ts";
import type { Logger } from "#common/log.ts";
import type { Metrics } from "#common/metrics.ts";
import { http } from "#common/node-http.ts";

export interface HttpOptions {
  /** 0 takes a free one; `port` of the result says which. */
  readonly port: number;
  /** Default: every address of the host. */
  readonly host?: string;
  readonly log: Logger;
  readonly metrics?: Metrics;
  /** /healthz: undefined if the process works, else why it should be started anew. Default: works. */
  readonly unhealthy?: () => string | undefined;
  /** /readyz: undefined if ready, else what is missing. Default: ready. */
  readonly unready?: () => string | undefined;
  /** /debug/plan: JSON of what is wanted, what is there and the difference; only for callers on this host. */
  readonly plan?: () => unknown;
}

export interface HttpServer {
  readonly port: number;
  close(): Promise<void>;
}

/** The port cannot be had. */
export class HttpListenError extends Error {
  override readonly name = "HttpListenError";
  readonly code = "HTTP_LISTEN";
}

interface Answer {
  readonly code: number;
  readonly body: string;
  readonly contentType?: string;
}

const MAX_CONNECTIONS = 64;

/** Listens until `signal` aborts or `close`. HttpListenError if the port cannot be had. */
export async function serveHttp(options: HttpOptions, signal?: AbortSignal): Promise<HttpServer> {
  const server = http.createServer(
    { requestTimeout: 10_000, headersTimeout: 5_000, maxHeaderSize: 8_192 },
    (request, response) => {
      void answer(options, request).then(
        (reply) => send(response, request, reply),
        (error: unknown) => {
          options.log.error("request failed", { path: request.url, error: describeError(error) });
          send(response, request, { code: 500, body: "internal error\n" });
        },
      );
    },
  );
  server.maxConnections = MAX_CONNECTIONS;
  server.keepAliveTimeout = 30_000;
  await listen(server, options);
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  signal?.addEventListener("abort", () => void close(), { once: true });
  return { port: (server.address() as AddressInfo).port, close };
}

async function answer(options: HttpOptions, request: IncomingMessage): Promise<Answer> {
  if (request.method !== "GET" && request.method !== "HEAD") return { code: 405, body: "only GET\n" };
  const path = (request.url ?? "/").split("?", 1)[0];
  switch (path) {
    case "/healthz":
      return verdict(options.unhealthy?.());
    case "/readyz":
      return verdict(options.unready?.());
    case "/metrics":
      if (options.metrics === undefined) break;
      return { code: 200, body: await options.metrics.page(), contentType: options.metrics.contentType };
    case "/debug/plan":
      if (options.plan === undefined) break;
      // The speaker listens on the node's network, and a plan names every Service: `kubectl port-forward` comes from loopback.
      if (!isLoopback(request.socket.remoteAddress)) return { code: 403, body: "only from this host\n" };
      return {
        code: 200,
        body: `${JSON.stringify(options.plan(), printable, 2)}\n`,
        contentType: "application/json",
      };
    default:
  }
  return { code: 404, body: "not found\n" };
}

function verdict(reason: string | undefined): Answer {
  return reason === undefined ? { code: 200, body: "ok\n" } : { code: 503, body: `${reason}\n` };
}

function send(response: ServerResponse, request: IncomingMessage, reply: Answer): void {
  response.writeHead(reply.code, {
    "content-type": reply.contentType ?? "text/plain; charset=utf-8",
    "content-length": Buffer.byteLength(reply.body),
  });
  response.end(request.method === "HEAD" ? undefined : reply.body);
}

function listen(server: Server, options: HttpOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error) =>
      reject(new HttpListenError(`listen on port ${options.port}: ${error.message}`, { cause: error })),
    );
    server.listen(
      { port: options.port, ...(options.host === undefined ? {} : { host: options.host }) },
      resolve,
    );
  });
}

function isLoopback(address: string | undefined): boolean {
  return address === "::1" || /^(::ffff:)?127\./.test(address ?? "");
}

function printable(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return value.toString();
  if (value instanceof Map) return Object.fromEntries(value);
  if (value instanceof Set) return [...value];
  return value;
}
