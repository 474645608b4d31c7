/** The speaker: attracts traffic to this node and has the kernel forward it to pods. Wiring only. */
import { readFileSync } from "node:fs";
import { FIELD_MANAGER } from "#api/names.ts";
import { systemClock } from "#common/clock.ts";
import { errorText } from "#common/error.ts";
import { createKubeClient } from "#common/kube/client.ts";
import { connectionFromEnvironment } from "#common/kube/connection.ts";
import { EventRecorder } from "#common/kube/events.ts";
import { createLogger } from "#common/log.ts";
import { createLoop } from "#common/loop.ts";
import { countSetbacks, createMetrics } from "#common/metrics.ts";
import { runMain } from "#common/process.ts";
import { systemRandom } from "#common/random.ts";
import { BUILD } from "#common/version.ts";
import type { Trouble } from "./apply.ts";
import { createBfd } from "./bfd/bfd.ts";
import { createBgp } from "./bgp/bgp.ts";
import { openOnLink } from "./bgp/on-link.ts";
import { createForwarder } from "./forwarder.ts";
import { Forwarding } from "./forwarding/forwarding.ts";
import { openForwardingKernel } from "./forwarding/open-kernel.ts";
import { serveSpeaker } from "./http.ts";
import { monitorLinks } from "./known/node-links.ts";
import { Sources } from "./known/sources.ts";
import { Announcer, spawnWorker } from "./layer2/announcer.ts";
import { Membership } from "./membership/membership.ts";
import { PacketSocket } from "./native/packet.ts";
import { SocketError } from "./native/socket.ts";
import { readOptions } from "./options.ts";
import { observe } from "./report/observe.ts";
import { Reporter } from "./report/reporter.ts";
import { Routing } from "./routing.ts";
import { SelfProbe } from "./selfprobe/selfprobe.ts";
import { shutDown } from "./shutdown.ts";
import { Speaker } from "./speaker.ts";

/** Whatever somebody else deletes in the kernel is back after this time and a moment. */
const RESYNC_MS = 3_000;
const LOOPBACK_INDEX = 1;

const options = readOptions(process.env);
const { node, namespace } = options;
const log = createLogger({ level: options.logLevel, fields: { role: "speaker", node } });
const common = { clock: systemClock, random: systemRandom, log };

async function main(signal: AbortSignal): Promise<void> {
  const connection = connectionFromEnvironment({
    env: process.env,
    readFile: (path) => readFileSync(path, "utf8"),
  });
  const client = createKubeClient(connection, { userAgent: FIELD_MANAGER.speaker });
  // Its own connection: a renewal must not queue behind lists.
  const leaseClient = createKubeClient(connection, { userAgent: FIELD_MANAGER.speaker, maxSockets: 2 });
  const background = new AbortController();
  const metrics = createMetrics({ role: "speaker", version: BUILD });
  const onSetback = countSetbacks(metrics);
  let version = 0;
  const trigger = (): void => {
    version += 1;
    loop.trigger();
  };
  const sources = new Sources({ ...common, client, namespace, onSetback, onChange: trigger });
  const membership = new Membership({
    ...common,
    client: leaseClient,
    node,
    namespace,
    onSetback,
    identity: options.identity,
    onChange: trigger,
  });
  const monitor = monitorLinks({
    clock: systemClock,
    onChange: trigger,
    onError: (error) => log.warn("links not read", { error }),
  });
  const announcer = new Announcer({
    ...common,
    spawn: spawnWorker,
    onTrouble: trigger,
    onConflicts: (conflicts) => speaker?.tellConflicts(conflicts),
  });
  const forwarder = createForwarder({
    open: () =>
      new Forwarding(openForwardingKernel({ sysctlRoot: options.sysctlRoot }), {
        clock: systemClock,
        // No reason to plan anew.
        onDrift: () => loop.trigger(),
      }),
    metrics,
    log,
  });
  const events = new EventRecorder({ ...common, client, component: FIELD_MANAGER.speaker, instance: node });
  const reporter = new Reporter({ ...common, client, node, namespace });
  const probe = new SelfProbe({
    clock: systemClock,
    log,
    linkName: (index) => monitor.links().find((link) => link.index === index)?.name ?? `number ${index}`,
    onChange: () => speaker?.refreshReport(),
  });
  const loop = createLoop({
    ...common,
    name: "speaker",
    resyncMs: RESYNC_MS,
    minIntervalMs: 50,
    backoffMs: { baseMs: 100, capMs: 3_000 },
    pass: async () => speaker?.pass(),
  });
  observe(metrics, {
    announcer,
    routing: () => routing.report(),
    forwarder,
    sources,
    loop,
    clock: systemClock,
  });
  let speaker: Speaker | undefined;
  const onLink = openOnLink({
    clock: systemClock,
    onError: (link, error) =>
      log.warn("unnumbered peers of the link cannot learn of this node", { link, error: errorText(error) }),
  });
  const routing = new Routing({
    clock: systemClock,
    openBgp: (onChange) =>
      createBgp({ ...common, listenPort: options.bgpPort, onChange, addressOn: onLink.addressOn }),
    openBfd: () => createBfd(common),
    onChange: () => speaker?.refreshReport(),
    onSession: (report) => speaker?.tellSession(report),
  });
  const http = await serveSpeaker(
    {
      ...common,
      port: options.httpPort,
      address: options.address,
      access: options.metricsAccess,
      certificateDirectory: options.metricsCertificateDirectory,
      namespace,
      connection,
      metrics,
      unready: () =>
        speaker === undefined ? `waiting for ${sources.missing().join(", ")}` : speaker.unsettled,
      plan: () => speaker?.describe() ?? { waitingFor: sources.missing() },
    },
    background.signal,
  );
  log.info("speaker started", { build: BUILD, namespace, http: http.port, sysctlRoot: options.sysctlRoot });
  const running = [
    sources.run(background.signal),
    membership.run(background.signal),
    reporter.run(background.signal),
    probe.run(background.signal),
  ];
  const known = Promise.all([sources.synced(), membership.reflector.synced()]);
  await Promise.race([known, aborted(signal)]);
  if (!signal.aborted) {
    const inherited = await inheritedAddresses(reporter);
    speaker = new Speaker(
      {
        ...common,
        node,
        namespace,
        sources,
        membership,
        monitor,
        announcer,
        routing,
        forwarder,
        reporter,
        probe,
        events,
        cannotSend,
        onOwnership: (direction, count) =>
          metrics.count("genkan_ownership_changes_total", { direction }, count),
        trigger,
        version: () => version,
      },
      inherited,
    );
    const working = speaker;
    await loop.run(signal);
    await shutDown({
      ...common,
      client,
      node,
      namespace,
      role: working.role,
      release: () => membership.release(),
      withdraw: () => working.pause(),
      leave: (role) => working.leaveAs(role),
    });
    await reporter.write().catch((error: unknown) => log.warn("last status not written", { error }));
  }
  background.abort();
  await Promise.all(running);
  forwarder.close();
  await announcer.close();
  monitor.close();
  onLink.close();
  await http.close();
  client.close();
  leaseClient.close();
}

/** Packet sockets need NET_RAW: tried on loopback, so that no link has to be there. */
function cannotSend(): Trouble | undefined {
  try {
    const receive = "arp";
    new PacketSocket({ linkIndex: LOOPBACK_INDEX, receive, onFrames() {}, onError() {} }).close();
    return undefined;
  } catch (error) {
    if (!(error instanceof SocketError)) throw error;
    const reason = error.code === "EPERM" ? "NotPermitted" : "NoPacketSocket";
    return { reason, message: `packet socket: ${error.message} (the right NET_RAW is needed)` };
  }
}

async function inheritedAddresses(reporter: Reporter): Promise<string[]> {
  try {
    const present = await reporter.readPresent();
    return (present?.addresses ?? []).map(({ address }) => address);
  } catch (error) {
    log.warn("what an earlier speaker of this node did is not known", { error });
    return [];
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

await runMain({ log, clock: systemClock, main });
