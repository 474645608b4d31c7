/** Makes the parts of a speaker and connects them; nothing runs yet. Wiring only. */

import type { LogLevel } from "#api/log-level.ts";
import { FIELD_MANAGER } from "#api/names.ts";
import type { Clock } from "#common/clock.ts";
import { errorText } from "#common/error.ts";
import { createKubeClient, type KubeClient } from "#common/kube/client.ts";
import type { Connection } from "#common/kube/connection.ts";
import { EventRecorder } from "#common/kube/events.ts";
import type { Logger } from "#common/log.ts";
import { createLoop, type Loop } from "#common/loop.ts";
import { countSetbacks, createMetrics, type Metrics } from "#common/metrics.ts";
import type { Random } from "#common/random.ts";
import { TraceExporter } from "#common/trace/exporter.ts";
import { BUILD } from "#common/version.ts";
import { createBfd } from "./bfd/bfd.ts";
import { createBgp } from "./bgp/bgp.ts";
import { openGateways } from "./bgp/gateways.ts";
import { openOnLink } from "./bgp/unnumbered.ts";
import { cannotSend } from "./can-send.ts";
import { Drains } from "./drains.ts";
import { createForwarder } from "./forwarder.ts";
import { Forwarding } from "./forwarding/forwarding.ts";
import { openForwardingKernel } from "./forwarding/open-kernel.ts";
import { GossipThread } from "./gossip/gossip.ts";
import { isUp } from "./gossip/types.ts";
import { Health } from "./health/health.ts";
import { createProbe } from "./health/probes.ts";
import { isReport } from "./health/wire.ts";
import { HostWatch } from "./host/host-watch.ts";
import { readProc } from "./host/proc.ts";
import { openNeighborTable, removeUnanswered } from "./host/unanswered-neighbors.ts";
import { monitorLinks } from "./known/node-links.ts";
import { ReturnedLinks } from "./known/returned-links.ts";
import { Sources } from "./known/sources.ts";
import { Announcer, spawnWorker } from "./layer2/announcer.ts";
import { Membership } from "./membership/membership.ts";
import { createCaller } from "./notice/call.ts";
import { Notifier } from "./notice/notifier.ts";
import type { Options } from "./options.ts";
import { Owners } from "./ownership/owners.ts";
import { PathProbe } from "./paths/path-probe.ts";
import { openWays, pathPeers } from "./paths/ways.ts";
import { SpeakerEvents } from "./report/events.ts";
import { observe } from "./report/observe.ts";
import { Reporter } from "./report/reporter.ts";
import { Reporting } from "./reporting.ts";
import { Routing } from "./routing.ts";
import { SelfProbe } from "./selfprobe/selfprobe.ts";
import { PASS_INTERVALS, Speaker } from "./speaker.ts";
import { ServiceTraces } from "./trace/service-traces.ts";
import { openTraffic } from "./traffic/open.ts";
import { TrafficWatch } from "./traffic/traffic-watch.ts";

/** Whatever somebody else deletes in the kernel is back after this time and a moment. */
const RESYNC_MS = 3_000;

/** What comes in from outside of the process. */
export interface World {
  readonly options: Options;
  readonly connection: Connection;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Follows spec.logLevel. */
  readonly onLogLevel?: (level: LogLevel) => void;
}

export interface Assembled {
  readonly client: KubeClient;
  readonly sources: Sources;
  readonly membership: Membership;
  readonly reporter: Reporter;
  readonly events: SpeakerEvents;
  readonly probe: SelfProbe;
  readonly paths: PathProbe;
  readonly host: HostWatch;
  readonly traffic: TrafficWatch;
  readonly metrics: Metrics;
  readonly speaker: Speaker;
  /** Its passes. */
  readonly loop: Loop;
  /** Ends what has no `run`. */
  close(): Promise<void>;
}

export function assemble(world: World): Assembled {
  const { options, connection, log } = world;
  const { node, namespace } = options;
  const client = createKubeClient(connection, { userAgent: FIELD_MANAGER.speaker });
  // Its own connection: a renewal must not queue behind lists.
  const leaseClient = createKubeClient(connection, { userAgent: FIELD_MANAGER.speaker, maxSockets: 2 });
  const metrics = createMetrics({ role: "speaker", version: BUILD });
  const onSetback = countSetbacks(metrics);
  const trigger = (): void => loop.trigger();
  const spans = new TraceExporter({
    ...world,
    metrics,
    version: BUILD,
    resource: { "service.name": FIELD_MANAGER.speaker, "service.instance.id": node },
  });
  const onTraces = (endpoint: string | undefined): void => spans.setEndpoint(endpoint);
  const sources = new Sources({ ...world, client, namespace, onSetback, onChange: trigger, onTraces });
  const traces = new ServiceTraces({ ...world, node, spans, services: sources.services });
  sources.services.subscribe((key) => traces.seen(key));
  const gossip: GossipThread = new GossipThread({
    ...world,
    onChange: () => {
      membership.reconsider();
      health.meet();
    },
    onTold: (told) => (isReport(told.bytes) ? health : owners).hear(told),
  });
  const isMember = (name: string): boolean => sources.nodes.get(name) !== undefined;
  const probeEndpoint = createProbe(world.clock);
  const health = new Health({ ...world, node, gossip, isMember, probe: probeEndpoint, onChange: trigger });
  const drains = new Drains({ clock: world.clock, onChange: trigger });
  const owners = new Owners({
    ...{ ...world, node, gossip, isMember },
    isHeard: (name) => isUp(gossip.view.members.get(name) ?? { state: "dead" }),
    onChange: () => {
      membership.reconsider();
      trigger();
    },
    onDropped: (reason, count) => metrics.count("genkan_claims_dropped_total", { reason }, count),
  });
  const membership: Membership = new Membership({
    ...world,
    ...{ client: leaseClient, node, namespace, onSetback, gossip },
    identity: options.identity,
    isAsking: () => owners.isAsking,
    onChange: () => loop.trigger(true),
  });
  const neighbors = openNeighborTable();
  const returned = new ReturnedLinks();
  const monitor = monitorLinks({
    clock: world.clock,
    onChange: () => {
      const back = returned.see(monitor.links());
      if (back.length > 0) {
        removeUnanswered(back, { log, table: neighbors });
        speaker.linksReturned(back);
      }
      trigger();
    },
    onError: (error) => log.warn("links not read", { error }),
  });
  const announcer = new Announcer({
    ...world,
    spawn: spawnWorker,
    onTrouble: trigger,
    onConflicts: (conflicts) => speaker.onConflicts(conflicts),
    onOverlaps: (vips) => owners.repeat(vips),
  });
  const forwarder = createForwarder({
    open: () =>
      new Forwarding(openForwardingKernel({ sysctlRoot: options.sysctlRoot }), {
        clock: world.clock,
        onDrift: trigger,
      }),
    metrics,
    log,
  });
  const { routing, onLink, gateways } = assembleRouting(world, {
    onChange: () => speaker.refreshReport(),
    onSession: (report) => speaker.onSession(report),
  });
  const reporter = new Reporter({
    ...{ ...world, client, node, namespace },
    nodes: () => membership.judgement.live.length,
  });
  const probe = new SelfProbe({
    ...world,
    linkName: (index) => monitor.links().find((link) => link.index === index)?.name ?? `number ${index}`,
    onChange: () => speaker.refreshReport(),
  });
  const ways = openWays(() => monitor.links());
  const paths = new PathProbe({
    ...world,
    peers: () => (speaker.role === "Active" ? pathPeers(node, sources.nodes, membership.judgement.live) : []),
    wayTo: ways.wayTo,
    onChange: () => speaker.refreshReport(),
  });
  const host = new HostWatch({
    ...world,
    read: readProc,
    links: () => monitor.links().flatMap(({ name, prefixes }) => (prefixes.length > 0 ? [name] : [])),
    onChange: () => speaker.refreshReport(),
  });
  const traffic = new TrafficWatch({
    ...world,
    isWanted: () => {
      const { mode, measuresTraffic } = sources.loadBalancer() ?? {};
      return measuresTraffic === true && mode === "IPVS" && speaker.role === "Active";
    },
    nodes: () => membership.judgement.live.length,
    open: openTraffic,
    serviceOf: (mark) => forwarder.serviceOf(mark),
    onReport: (report) => reporter.reportTraffic(report),
  });
  const events = new SpeakerEvents({
    ...{ node, namespace, log },
    events: new EventRecorder({ ...world, client, component: FIELD_MANAGER.speaker, instance: node }),
    onOwnership: (direction, count) => metrics.count("genkan_ownership_changes_total", { direction }, count),
    uidOf: (service) => sources.services.get(service)?.uid,
    tenureOf: (vip) => owners.tenureOf(vip),
  });
  const notifier = new Notifier({
    ...world,
    call: createCaller(world.clock),
    onTell: (notices) => owners.told(notices),
    onCall: (result) => metrics.count("genkan_owner_calls_total", { result }),
    onChange: () => speaker.refreshReport(),
  });
  const parts = {
    ...{ node, notifier, log, clock: world.clock, monitor, forwarder, reporter, probe, paths, host, events },
    ...{ cannotSend, trigger, traces },
    isDue: () => loop.isDue,
    ...{
      knowledge: sources,
      members: membership,
      owners,
      health,
      drains,
      attractor: announcer,
      router: routing,
    },
  };
  const speaker = new Speaker({ ...parts, reporting: new Reporting(parts) });
  const loop = createLoop({
    ...world,
    name: "speaker",
    resyncMs: RESYNC_MS,
    ...PASS_INTERVALS,
    backoffMs: { baseMs: 100, capMs: 3_000 },
    pass: () => speaker.pass(),
  });
  observe(metrics, {
    announcer,
    gossip,
    routing: () => routing.report(),
    forwarder,
    health,
    notifier,
    traffic,
    sources,
    loop,
    clock: world.clock,
  });
  const close = async (): Promise<void> => {
    forwarder.close();
    await announcer.close();
    owners.close();
    notifier.close();
    health.close();
    drains.close();
    await gossip.close();
    ways.close();
    monitor.close();
    neighbors.close();
    onLink.close();
    gateways.close();
    client.close();
    leaseClient.close();
  };
  return {
    ...{ client, sources, membership, reporter, events, probe, paths, host, traffic, metrics, speaker },
    ...{ loop, close },
  };
}

function assembleRouting(
  world: World,
  callbacks: Pick<ConstructorParameters<typeof Routing>[0], "onChange" | "onSession">,
) {
  const { clock, log, options } = world;
  const onLink = openOnLink({
    clock,
    onError: (link, error) =>
      log.warn("unnumbered peers of the link cannot learn of this node", { link, error: errorText(error) }),
  });
  const gateways = openGateways({
    clock,
    onChange: () => routing.relocate(),
    onError: (error) => log.warn("default routes not read", { error: errorText(error) }),
  });
  const routing: Routing = new Routing({
    clock,
    openBgp: (onChange) =>
      createBgp({
        ...world,
        ...{ listenPort: options.bgpPort, onChange },
        ...{ addressOn: onLink.addressOn, gatewayOf: gateways.gatewayOf },
      }),
    openBfd: () => createBfd(world),
    ...callbacks,
  });
  return { routing, onLink, gateways };
}
