/** The operator: one LoadBalancer object -> controller, speakers, webhooks, certificates. Wiring only. */
import { readFileSync } from "node:fs";
import { FIELD_MANAGER, OPERATOR_LEASE } from "#api/names.ts";
import { systemClock } from "#common/clock.ts";
import { serveHttp } from "#common/http.ts";
import { createKubeClient } from "#common/kube/client.ts";
import { connectionFromEnvironment } from "#common/kube/connection.ts";
import { EventRecorder } from "#common/kube/events.ts";
import { runLeaderElection } from "#common/kube/lease.ts";
import { createLogger } from "#common/log.ts";
import { countSetbacks, createMetrics } from "#common/metrics.ts";
import { runMetricsServer } from "#common/metrics-server.ts";
import { runMain } from "#common/process.ts";
import { systemRandom } from "#common/random.ts";
import { releaseIfRemoved } from "#common/release-if-removed.ts";
import { BUILD } from "#common/version.ts";
import { runTerm } from "#operator/leader.ts";
import { readOptions } from "#operator/options.ts";
import type { Plan } from "#operator/plan.ts";

const options = readOptions(process.env);
const log = createLogger({ level: options.logLevel, fields: { role: "operator" } });
/** Of the 15 s that config/operator gives the pod for its end. */
const RELEASE_MS = 10_000;
const common = { clock: systemClock, random: systemRandom, log };

async function main(signal: AbortSignal): Promise<void> {
  const { site, identity } = options;
  const readFile = (path: string): string => readFileSync(path, "utf8");
  const connection = connectionFromEnvironment({ env: process.env, readFile });
  const client = createKubeClient(connection, { userAgent: FIELD_MANAGER.operator });
  const leaseClient = createKubeClient(connection, { userAgent: FIELD_MANAGER.operator, maxSockets: 1 });
  const events = new EventRecorder({
    ...common,
    client,
    component: FIELD_MANAGER.operator,
    instance: identity,
  });
  const metrics = createMetrics({ role: "operator", version: BUILD });
  let plan: Plan | undefined;
  const http = await serveHttp(
    {
      port: options.httpPort,
      log,
      metrics,
      showsMetrics: options.metricsAccess === "Loopback",
      plan: () => plan ?? { leads: false },
    },
    signal,
  );
  const measured = runMetricsServer(
    {
      ...common,
      access: options.metricsAccess,
      metrics,
      connection,
      userAgent: FIELD_MANAGER.operator,
      port: options.metricsPort,
      namespace: site.namespace,
      certificateDirectory: options.metricsCertificateDirectory,
    },
    signal,
  );
  log.info("operator started", { build: BUILD, namespace: site.namespace, identity, http: http.port });
  await runLeaderElection({
    ...common,
    client: leaseClient,
    name: OPERATOR_LEASE,
    namespace: site.namespace,
    identity,
    signal,
    onStarted: async (lost) => {
      await runTerm({ ...common, client, events, site, onSetback: countSetbacks(metrics) }, lost, (next) => {
        plan = next;
      });
      plan = undefined;
      await events.flush();
    },
  });
  const { namespace } = site;
  await releaseIfRemoved({ ...common, client, namespace, deadlineMs: RELEASE_MS });
  await measured;
  client.close();
  leaseClient.close();
}

await runMain({ log, clock: systemClock, main });
