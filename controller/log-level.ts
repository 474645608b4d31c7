/**
 * Follows `spec.logLevel` and `spec.tracing` of the LoadBalancer, on every replica: whoever looks for a fault does not want
 * to restart it.
 */
import { type LogLevel, parseLogLevel } from "#api/log-level.ts";
import { LOADBALANCER_NAME } from "#api/names.ts";
import type { Clock } from "#common/clock.ts";
import type { KubeClient } from "#common/kube/client.ts";
import { Reflector } from "#common/kube/reflector.ts";
import { type LoadBalancer, loadBalancers } from "#common/kube/resource.ts";
import { Store } from "#common/kube/store.ts";
import type { RootLogger } from "#common/log.ts";
import type { Random } from "#common/random.ts";

export interface LogLevelOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: RootLogger;
  readonly namespace: string;
  /** Where traces go to. */
  readonly traces: { setEndpoint(endpoint: string | undefined): void };
}

interface Followed {
  readonly level: LogLevel;
  readonly endpoint?: string;
}

/** Until `signal` aborts. Without a LoadBalancer the level stays as it was. */
export async function followLogLevel(options: LogLevelOptions, signal: AbortSignal): Promise<void> {
  const { log, namespace, traces } = options;
  const store = new Store<Followed>();
  let present: LogLevel | undefined;
  store.subscribe((key) => {
    const { level, endpoint } = store.get(key) ?? {};
    traces.setEndpoint(endpoint);
    if (level === undefined || level === present) return;
    present = level;
    log.setLevel(level);
    log.info("log level", { logLevel: level });
  });
  const reflector = new Reflector<LoadBalancer, Followed>({
    ...options,
    namespace,
    resource: loadBalancers,
    store,
    fieldSelector: `metadata.name=${LOADBALANCER_NAME}`,
    project: ({ spec }) => ({
      level: parseLogLevel(spec.logLevel ?? "info") ?? "info",
      ...(spec.tracing === undefined ? {} : { endpoint: spec.tracing.endpoint }),
    }),
  });
  await reflector.start(signal);
}
