/** The controller: webhooks on every replica, allocation on the one that leads. Wiring only. */
import { readFileSync } from "node:fs";
import { CONTROLLER_LEASE, FIELD_MANAGER } from "#api/names.ts";
import { systemClock } from "#common/clock.ts";
import { serveHttp } from "#common/http.ts";
import { createKubeClient } from "#common/kube/client.ts";
import { type Connection, connectionFromEnvironment } from "#common/kube/connection.ts";
import { EventRecorder } from "#common/kube/events.ts";
import { runLeaderElection } from "#common/kube/lease.ts";
import { createLogger } from "#common/log.ts";
import { countSetbacks, createMetrics, type Metrics } from "#common/metrics.ts";
import { runMetricsServer } from "#common/metrics-server.ts";
import { runMain } from "#common/process.ts";
import { systemRandom } from "#common/random.ts";
import { releaseIfRemoved } from "#common/release-if-removed.ts";
import { TraceExporter } from "#common/trace/exporter.ts";
import { BUILD } from "#common/version.ts";
import { whileLeading } from "#controller/leading.ts";
import { followLogLevel } from "#controller/log-level.ts";
import { observeTerm } from "#controller/observe.ts";
import { readOptions } from "#controller/options.ts";
import { runBgpStatus } from "#controller/status/bgp-status.ts";
import { EventQueue } from "#controller/status/event-queue.ts";
import { runTerm, type Term } from "#controller/term.ts";
import { Webhooks } from "#controller/webhook/webhooks.ts";

/** Another replica takes over about 4 s after a leader died; a leader that cannot renew stops 1 s before that. */
const LEASE = { leaseDurationMs: 4_000, renewDeadlineMs: 3_000, retryMs: 600 } as const;
/** How long the end of the process waits for events to be written; the others are lost. */
const FLUSH_MS = 3_000;
/** The writes that may be under way at once (8), and room for lists beside them. */
const MAX_SOCKETS = 12;

const options = readOptions(process.env);
const log = createLogger({ level: options.logLevel, fields: { role: "controller" } });
const common = { clock: systemClock, random: systemRandom, log };

async function main(signal: AbortSignal): Promise<void> {
  const { namespace, identity } = options;
  const readFile = (path: string): string => readFileSync(path, "utf8");
  const connection = connectionFromEnvironment({ env: process.env, readFile });
  const client = createKubeClient(connection, {
    userAgent: FIELD_MANAGER.controller,
    maxSockets: MAX_SOCKETS,
    // In a burst of writes each worker rests for a moment now and then: another handshake costs more than the write.
    keptSockets: MAX_SOCKETS,
  });
  // Its own connections: a renewal must not queue behind a burst of writes.
  const leaseClient = createKubeClient(connection, { userAgent: FIELD_MANAGER.controller, maxSockets: 1 });
  const recorder = new EventRecorder({
    ...common,
    client,
    component: FIELD_MANAGER.controller,
    instance: identity,
  });
  let term: Term | undefined;
  const events = new EventQueue(recorder, {
    clock: systemClock,
    log,
    writes: () => term?.writes ?? 0,
  });
  const metrics = createMetrics({ role: "controller", version: BUILD });
  const webhooks = new Webhooks({
    ...common,
    client,
    namespace,
    port: options.webhookPort,
    certificateDirectory: options.certificateDirectory,
    clientsDirectory: options.clientsDirectory,
    metrics,
    onSetback: countSetbacks(metrics),
  });
  observeTerm(metrics, () => term);
  const http = await serveHttp(
    {
      port: options.httpPort,
      log,
      metrics,
      showsMetrics: options.metricsAccess === "Loopback",
      unready: () => webhooks.unready(),
      plan: () => term?.describe() ?? { leads: false },
    },
    signal,
  );
  const measured = runMetricsServer(
    {
      ...common,
      access: options.metricsAccess,
      metrics,
      connection,
      userAgent: FIELD_MANAGER.controller,
      port: options.metricsPort,
      namespace,
      certificateDirectory: options.metricsCertificateDirectory,
    },
    signal,
  );
  const traces = new TraceExporter({
    ...common,
    metrics,
    version: BUILD,
    resource: { "service.name": FIELD_MANAGER.controller, "service.instance.id": identity },
  });
  const levels = followLogLevel({ ...common, client, namespace, traces }, signal);
  const shown = showConsole({ connection, metrics }, signal);
  log.info("controller started", { build: BUILD, namespace, identity, http: http.port });
  const election = runLeaderElection({
    ...common,
    ...LEASE,
    client: leaseClient,
    name: CONTROLLER_LEASE,
    namespace,
    identity,
    signal,
    onStarted: async (lost, isLeading) => {
      const onSetback = countSetbacks(metrics);
      const ours = { ...common, client: whileLeading(client, isLeading), namespace, onSetback };
      const allocating = runTerm({ ...ours, events, spans: traces }, lost, (started) => {
        term = started;
      });
      await Promise.all([allocating, runBgpStatus(ours, lost)]);
      term = undefined;
    },
  });
  const released = election.then(() => releaseIfRemoved({ ...common, client, namespace }));
  await Promise.all([released, webhooks.run(signal), measured, shown, levels]);
  await Promise.race([events.flush(), systemClock.sleep(FLUSH_MS)]);
  client.close();
  leaseClient.close();
}

/** Where nobody asked for it, not even its code is loaded. */
async function showConsole(
  parts: { readonly connection: Connection; readonly metrics: Metrics },
  signal: AbortSignal,
): Promise<void> {
  if (options.consoleAccess === "Off") return;
  const { runConsole } = await import("#console/run.ts");
  await runConsole(
    {
      ...parts,
      ...{ clock: systemClock, log },
      userAgent: FIELD_MANAGER.controller,
      namespace: options.namespace,
      port: options.consolePort,
      directory: options.consoleDirectory,
    },
    signal,
  );
}

await runMain({ log, clock: systemClock, main });
