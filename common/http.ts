/**
 * Health, readiness and the present plan over HTTP; metrics too, for callers on this host, where they are asked to be.
 */
import type { IncomingMessage } from "node:http";
import { type Answer, type HttpServer, NOT_FOUND, serveAnswers } from "#common/http-answers.ts";
import type { Logger } from "#common/log.ts";
import type { Metrics } from "#common/metrics.ts";

export interface HttpOptions {
  /** 0 takes a free one; `port` of the result says which. */
  readonly port: number;
  /** Default: every address of the host. */
  readonly host?: string;
  readonly log: Logger;
  /** Counts what this server does. */
  readonly metrics?: Metrics;
  /**
   * /metrics is answered, without a token, to callers on this host; default false (metrics-server.ts answers others).
   */
  readonly showsMetrics?: boolean;
  /** /healthz: undefined if the process works, else why it should be restarted. Default: works. */
  readonly unhealthy?: () => string | undefined;
  /** /readyz: undefined if ready, else what is missing. Default: ready. */
  readonly unready?: () => string | undefined;
  /** /debug/plan: JSON of what is wanted, what is there and the difference; only for callers on this host. */
  readonly plan?: () => unknown;
}

/** Listens until `signal` aborts or `close`. HttpListenError if the port cannot be had. */
export function serveHttp(options: HttpOptions, signal?: AbortSignal): Promise<HttpServer> {
  const { port, host, log, metrics } = options;
  return serveAnswers(
    {
      port,
      ...(host === undefined ? {} : { host }),
      log,
      ...(metrics === undefined ? {} : { counters: metrics }),
      answer: (path, request) => answer(options, path, request),
    },
    signal,
  );
}

async function answer(options: HttpOptions, path: string, request: IncomingMessage): Promise<Answer> {
  switch (path) {
    case "/healthz":
      return verdict(options.unhealthy?.());
    case "/readyz":
      return verdict(options.unready?.());
    case "/metrics":
      if (options.metrics === undefined || options.showsMetrics !== true) return NOT_FOUND;
      return await forThisHost(request, () => metricsPage(options.metrics));
    case "/debug/plan":
      if (options.plan === undefined) return NOT_FOUND;
      // A plan names every Service: `kubectl port-forward` comes from loopback.
      return await forThisHost(request, () => json(options.plan?.()));
    default:
      return NOT_FOUND;
  }
}

/** Prometheus' text format. */
export async function metricsPage(metrics: Metrics | undefined): Promise<Answer> {
  if (metrics === undefined) return NOT_FOUND;
  return { code: 200, body: await metrics.page(), contentType: metrics.contentType };
}

async function forThisHost(request: IncomingMessage, make: () => Answer | Promise<Answer>): Promise<Answer> {
  if (!isLoopback(request.socket.remoteAddress)) return { code: 403, body: "only from this host\n" };
  return await make();
}

function verdict(reason: string | undefined): Answer {
  return reason === undefined ? { code: 200, body: "ok\n" } : { code: 503, body: `${reason}\n` };
}

function isLoopback(address: string | undefined): boolean {
  return address !== undefined && (address === "::1" || /^(::ffff:)?127\./.test(address));
}

const json = (value: unknown): Answer => ({
  code: 200,
  body: `${JSON.stringify(value, printable, 2)}\n`,
  contentType: "application/json",
});

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
