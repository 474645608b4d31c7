/** Follows `spec.logLevel` of the LoadBalancer, on every replica: whoever looks for a fault does not want to restart it. */
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
}

/** Until `signal` aborts. Without a LoadBalancer the level stays as it was. */
export async function followLogLevel(options: LogLevelOptions, signal: AbortSignal): Promise<void> {
  const { log, namespace } = options;
  const store = new Store<LogLevel>();
  let present: LogLevel | undefined;
  store.subscribe((key) => {
    const level = store.get(key);
    if (level === undefined || level === present) return;
    present = level;
    log.setLevel(level);
    log.info("log level", { logLevel: level });
  });
  const reflector = new Reflector<LoadBalancer, LogLevel>({
    ...options,
    namespace,
    resource: loadBalancers,
    store,
    fieldSelector: `metadata.name=${LOADBALANCER_NAME}`,
    project: ({ spec }) => parseLogLevel(spec.logLevel ?? "info") ?? "info",
  });
  await reflector.start(signal);
}
