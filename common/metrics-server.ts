/**
 * Metrics for other machines: HTTPS, and a bearer token whose holder the API server lets get /metrics, as
 * kube-rbac-proxy in front of a process does. Nothing else is answered there, and nobody is told more than why not.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { METRICS_SERVICE_NAME } from "#api/names.ts";
import { type Admission, bearerOf, Gate } from "#common/access/gate.ts";
import { reviewer } from "#common/access/review.ts";
import type { Clock } from "#common/clock.ts";
import { errorText } from "#common/error.ts";
import { metricsPage } from "#common/http.ts";
import { type Answer, type HttpServer, NOT_FOUND, serveAnswers } from "#common/http-answers.ts";
import { type KeyPair, keepPair } from "#common/key-pair.ts";
import { createKubeClient, type KubeClient } from "#common/kube/client.ts";
import type { Connection } from "#common/kube/connection.ts";
import type { Logger } from "#common/log.ts";
import type { Metrics } from "#common/metrics.ts";
import type { Random } from "#common/random.ts";
import { selfSigned } from "#common/self-signed.ts";
import { keepServed } from "#common/served.ts";

/** `Token`: as above. `Loopback`: no server of its own; health's answers /metrics to callers on this host. */
export type MetricsAccess = "Token" | "Loopback";

/** Of METRICS_ACCESS; undefined if it says something else. */
export function parseMetricsAccess(text: string | undefined): MetricsAccess | undefined {
  if (text === undefined || text === "") return "Token";
  return text === "Token" || text === "Loopback" ? text : undefined;
}

export interface MetricsServerOptions {
  readonly clock: Clock;
  readonly random: Pick<Random, "bytes">;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Asked whose token it is. */
  readonly client: Pick<KubeClient, "create">;
  /** 0 takes a free one. */
  readonly port: number;
  /** Default: every address of the host. */
  readonly host?: string;
  /** Where tls.crt and tls.key may be; without them the process signs its own certificate. */
  readonly certificateDirectory: string;
  /** Where we are installed: in the names of the process's own certificate. */
  readonly namespace: string;
}

/** A few scrapers: each connection costs its TLS, too. */
const MOST_CONNECTIONS = 64;
const REVIEWS_AT_ONCE = 4;
/** A node may get its address, and a port may become free, later than we start. */
const RETRY_MS = 10_000;

const REFUSALS: Readonly<Record<Exclude<Admission, "allowed">, Answer>> = {
  missing: unauthorized("a bearer token is needed"),
  unknown: unauthorized("the API server does not know this token"),
  forbidden: {
    code: 403,
    body: "who has this token may not get /metrics: ClusterRole genkan-metrics-reader\n",
  },
  busy: {
    code: 429,
    body: "too many tokens that are not known: try again\n",
    headers: { "retry-after": "1" },
  },
  unreachable: {
    code: 503,
    body: "the API server does not say who may read metrics: try again\n",
    headers: { "retry-after": "5" },
  },
};

/** RFC 6750 section 3. */
function unauthorized(why: string): Answer {
  return { code: 401, body: `${why}\n`, headers: { "www-authenticate": "Bearer" } };
}

export interface MetricsRunOptions extends Omit<MetricsServerOptions, "client"> {
  readonly access: MetricsAccess;
  readonly connection: Connection;
  readonly userAgent: string;
}

/**
 * Answers until `signal` aborts, if access is by token; never rejects. While the port cannot be had, it is tried again.
 */
export async function runMetricsServer(options: MetricsRunOptions, signal: AbortSignal): Promise<void> {
  const { access, clock, log, port, host, connection, userAgent } = options;
  if (access === "Loopback") return;
  // Its own connections, so that metrics and bursts of writes do not wait for each other.
  const client = createKubeClient(connection, { userAgent, maxSockets: REVIEWS_AT_ONCE, keptSockets: 1 });
  const serve = async (): Promise<HttpServer> => {
    const server = await serveMetrics({ ...options, client }, signal);
    log.info("metrics are served", { port: server.port });
    return server;
  };
  // Traffic matters more than metrics: a speaker whose node changed its address goes on.
  const onFailure = (error: unknown): void =>
    log.error("metrics are not served yet", { host, port, error: errorText(error) });
  await keepServed({ clock, retryMs: RETRY_MS, serve, onFailure }, signal);
  client.close();
}

/** HttpListenError if the port cannot be had. `signal` ends the care for its certificate; `close` the server. */
export async function serveMetrics(options: MetricsServerOptions, signal: AbortSignal): Promise<HttpServer> {
  const { clock, log, metrics, port, host } = options;
  const gate = new Gate({ clock, log, purpose: "read metrics", judge: reviewer(options.client) });
  const readPair = pairSource(options);
  const first = await readPair();
  const server = await serveAnswers({
    port,
    ...(host === undefined ? {} : { host }),
    log,
    pair: first,
    mostConnections: MOST_CONNECTIONS,
    counters: metrics,
    answer: async (path, { headers, socket }) => {
      if (path !== "/metrics") return NOT_FOUND;
      // A socket that is closed by now has no address any more; nobody reads the answer.
      const verdict = await gate.admit(bearerOf(headers.authorization), socket.remoteAddress ?? "");
      metrics.count("genkan_metrics_requests_total", { verdict });
      return verdict === "allowed" ? await metricsPage(metrics) : REFUSALS[verdict];
    },
  });
  if (server.secure !== undefined) {
    void keepPair(server.secure, first, { what: "metrics", readPair, clock, log }, signal);
  }
  return server;
}

/** Files where somebody brought them, else one of the process's own, made once. */
function pairSource(options: MetricsServerOptions): () => Promise<KeyPair> {
  const { clock, random, namespace, certificateDirectory } = options;
  const name = `${METRICS_SERVICE_NAME}.${namespace}.svc`;
  const dnsNames = [name, `${name}.cluster.local`];
  let own: KeyPair | undefined;
  return async () => {
    const [cert, key] = await Promise.all(
      ["tls.crt", "tls.key"].map((file) => textOf(join(certificateDirectory, file))),
    );
    if (cert !== undefined && key !== undefined) return { cert, key };
    own ??= selfSigned({ commonName: "genkan-metrics", dnsNames, now: clock.date(), random });
    return own;
  };
}

/** undefined if there is no such file. */
async function textOf(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
