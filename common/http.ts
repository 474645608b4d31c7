/**
 * Health, readiness, metrics and the present plan over HTTP. Answers GET only and reads no body. Whoever can reach the
 * port may open connections and leave them: they take no place from those who ask, and little memory.
 */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Connections } from "#common/connections.ts";
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
  /** Nothing but /metrics: for an address that strangers reach. */
  readonly isForMetricsOnly?: boolean;
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

const NOT_FOUND: Answer = { code: 404, body: "not found\n" };

/**
 * More than a kubelet and some scrapers ever have. It is also the time that a newcomer has to ask: only so many others
 * that come in after it and before its question could close it.
 */
const MOST_CONNECTIONS = 256;
/** Pages of metrics that are not read yet: some hundred KiB each in a large cluster. */
const MOST_BYTES = 16 * 1024 * 1024;
const TIMES = {
  headersTimeout: 5_000,
  requestTimeout: 10_000,
  /** A kubelet opens a connection for each probe, and a scraper comes back later than it is worth waiting. */
  keepAliveTimeout: 5_000,
  /** How late the others may be noticed; node's default is 30 s. */
  connectionsCheckingInterval: 1_000,
} as const;
/** Without a byte in either direction: of an answer that nobody reads, too. */
const SILENCE_MS = 15_000;

/** Listens until `signal` aborts or `close`. HttpListenError if the port cannot be had. */
export async function serveHttp(options: HttpOptions, signal?: AbortSignal): Promise<HttpServer> {
  const { metrics } = options;
  const connections = new Connections({
    most: MOST_CONNECTIONS,
    mostBytes: MOST_BYTES,
    onClosed: () => metrics?.count("genkan_http_connections_closed_total", {}),
  });
  const server = http.createServer({ ...TIMES, maxHeaderSize: 8_192 }, (request, response) => {
    const { socket } = request;
    void connections
      .during(socket, () => answer(options, request))
      .catch((error: unknown): Answer => {
        options.log.error("request failed", { path: pathOf(request), error: describeError(error) });
        return { code: 500, body: "internal error\n" };
      })
      .then((reply) => {
        response.once("close", connections.hold(socket, reply.body.length));
        send(response, request, reply);
      });
  });
  server.timeout = SILENCE_MS;
  connections.watch(server);
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
  const path = pathOf(request);
  if (options.isForMetricsOnly === true && path !== "/metrics") return NOT_FOUND;
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
  return NOT_FOUND;
}

/** Without the query, where callers put what is not meant for logs. */
function pathOf(request: IncomingMessage): string {
  return (request.url ?? "/").split("?", 1)[0] ?? "/";
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

/**
 * Fields that hold what nobody but the two ends may know. A plan is what its makers put into it, and one of them may
 * take a peer's settings as they are: what is called a password does not leave the process, wherever it stands.
 */
const CONFIDENTIAL = /^(.*password|md5|token|private_?key|tls\.key)$/i;

function printable(key: string, value: unknown): unknown {
  if (typeof value === "string" && CONFIDENTIAL.test(key)) return "***";
  if (typeof value === "bigint") return value.toString();
  if (value instanceof Map) return Object.fromEntries(value);
  if (value instanceof Set) return [...value];
  return value;
}
