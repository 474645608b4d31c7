/**
 * Where a speaker answers. It has its node's network, so an open port is a port of the node: health and the plan are for
 * the kubelet and for people on the node, which both come over loopback. Metrics are read from other machines, at the
 * one address that Kubernetes knows the node by; strangers who crowd that port are in nobody's way on loopback.
 */
import { errorText } from "#common/error.ts";
import { type HttpOptions, type HttpServer, serveHttp } from "#common/http.ts";

export const LOOPBACK = "127.0.0.1";

export interface SpeakerHttpOptions extends Omit<HttpOptions, "host" | "isForMetricsOnly"> {
  /** Of the node, for scrapers; undefined: metrics are on loopback alone, as everything else. */
  readonly address: string | undefined;
}

/** HttpListenError if the port cannot be had on loopback: then nobody could see that the speaker works. */
export async function serveSpeaker({ address, ...options }: SpeakerHttpOptions): Promise<HttpServer> {
  const { log, metrics } = options;
  const local = await serveHttp({ ...options, host: LOOPBACK });
  const { port } = local;
  if (address === undefined || address === LOOPBACK || metrics === undefined) return local;
  try {
    const scraped = await serveHttp({ port, host: address, log, metrics, isForMetricsOnly: true });
    return { port, close: async () => void (await Promise.all([local.close(), scraped.close()])) };
  } catch (error) {
    // Traffic matters more than metrics: a speaker whose node changed its address goes on.
    log.error("metrics are on loopback alone", { address, port, error: errorText(error) });
    return local;
  }
}
