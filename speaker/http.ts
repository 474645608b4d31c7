/**
 * Where a speaker answers. It has its node's network, so its open ports are ports of the node. Health and the plan are
 * for the kubelet and for people on the node, who both come over loopback. Metrics are read from other machines by
 * readers with a token, at the one address that Kubernetes knows the node by; or over loopback alone, if the
 * configuration says so.
 */
import { FIELD_MANAGER } from "#api/names.ts";
import { type HttpOptions, serveHttp } from "#common/http.ts";
import type { HttpServer } from "#common/http-answers.ts";
import type { Metrics } from "#common/metrics.ts";
import { type MetricsRunOptions, runMetricsServer } from "#common/metrics-server.ts";

export const LOOPBACK = "127.0.0.1";

export interface SpeakerHttpOptions
  extends Pick<HttpOptions, "port" | "log" | "unready" | "plan">,
    Pick<
      MetricsRunOptions,
      "access" | "certificateDirectory" | "namespace" | "connection" | "clock" | "random"
    > {
  /** The node's address for scrapers. Undefined: metrics cannot be read with a token. */
  readonly address: string | undefined;
  readonly metrics: Metrics;
}

/**
 * Throws HttpListenError if the port is taken on loopback, because then nobody could see that the speaker works.
 * Metrics have the same port at the node's address, which is tried again and again until `signal` aborts.
 */
export async function serveSpeaker(options: SpeakerHttpOptions, signal: AbortSignal): Promise<HttpServer> {
  const { address, access, log } = options;
  const local = await serveHttp({ ...options, host: LOOPBACK, showsMetrics: access === "Loopback" });
  const { port } = local;
  if (access === "Token" && (address === undefined || address === LOOPBACK)) {
    log.warn("metrics are not served: POD_IP does not say the node's address");
    return local;
  }
  const scraped = runMetricsServer(
    { ...options, port, userAgent: FIELD_MANAGER.speaker, ...(address !== undefined && { host: address }) },
    signal,
  );
  return { port, close: async () => void (await Promise.all([local.close(), scraped])) };
}
