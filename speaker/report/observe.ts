/** The speaker's figures for Prometheus. */
import { FAMILIES, familyOf } from "#api/address.ts";
import type { Clock } from "#common/clock.ts";
import type { Loop } from "#common/loop.ts";
import type { Metrics } from "#common/metrics.ts";
import type { SessionReport } from "../bgp/types.ts";
import type { GossipThread } from "../gossip/gossip.ts";
import type { Sources } from "../known/sources.ts";
import type { Announcer } from "../layer2/announcer.ts";
import type { ResponderCounts } from "../layer2/messages.ts";
import type { Notifier } from "../notice/notifier.ts";
import type { Checking, Forwarder } from "../parts.ts";
import type { RoutingReport } from "../routing.ts";
import { measured } from "../traffic/report.ts";
import type { TrafficWatch } from "../traffic/traffic-watch.ts";

export function observe(
  metrics: Metrics,
  parts: {
    announcer: Announcer;
    gossip: Pick<GossipThread, "view" | "counts">;
    routing: () => RoutingReport;
    forwarder: Pick<Forwarder, "counts">;
    health: Pick<Checking, "describe">;
    notifier: Pick<Notifier, "waiting">;
    traffic: Pick<TrafficWatch, "services">;
    sources: Sources;
    loop: Loop;
    clock: Clock;
  },
): void {
  const { announcer, forwarder, sources, loop, clock } = parts;
  metrics.onCollect(async () => {
    const answers = await announcer.counts().catch(() => undefined);
    // A worker that died is started again by the next pass, and its counts begin at 0 again.
    if (answers !== undefined) observeAnswers(metrics, answers);
  });
  metrics.onCollect(() => {
    const count = { IPv4: new Set<string>(), IPv6: new Set<string>() };
    for (const vips of announcer.held().values()) {
      for (const vip of vips) count[familyOf(vip)].add(vip);
    }
    for (const family of FAMILIES) {
      metrics.set("genkan_announced_addresses", { protocol: "layer2", family }, count[family].size);
    }
    observeRouting(metrics, parts.routing());
    observeGossip(metrics, parts.gossip);
    const counts = forwarder.counts();
    for (const kind of ["virtualServers", "realServers", "routes", "elements"] as const) {
      metrics.set("genkan_forwarding_objects", { kind }, counts[kind]);
    }
    metrics.set("genkan_owner_changes_waiting", {}, parts.notifier.waiting);
    observeChecks(metrics, parts.health.describe());
    for (const [reason, packets] of Object.entries(counts.turnedAway)) {
      metrics.total("genkan_forwarding_turned_away_packets_total", { reason }, packets);
    }
    observeTraffic(metrics, parts.traffic);
    metrics.set("genkan_services", { state: "assigned" }, sources.services.size);
    metrics.total("genkan_loop_passes_total", { loop: "speaker" }, loop.passes);
    metrics.total("genkan_loop_failures_total", { loop: "speaker" }, loop.failures);
    for (const { resource, counts: api, lastContact } of sources.reports()) {
      metrics.set("genkan_api_contact_age_seconds", { resource }, (clock.now() - lastContact) / 1_000);
      metrics.total("genkan_api_errors_total", { resource }, api.errors);
    }
  });
}

function observeChecks(metrics: Metrics, { checked, failing }: ReturnType<Checking["describe"]>): void {
  metrics.clear("genkan_checked_endpoints");
  if (checked === 0) return;
  metrics.set("genkan_checked_endpoints", { state: "failing" }, failing.length);
  metrics.set("genkan_checked_endpoints", { state: "passing" }, checked - failing.length);
}

function observeAnswers(metrics: Metrics, counts: ResponderCounts): void {
  const { arp, ndp, unasked, lost, retried, conflicts, overlaps } = counts;
  metrics.total("genkan_answers_total", { protocol: "arp" }, arp);
  metrics.total("genkan_answers_total", { protocol: "ndp" }, ndp);
  metrics.total("genkan_unasked_announcements_total", {}, unasked);
  metrics.total("genkan_frames_lost_total", {}, lost);
  metrics.total("genkan_frames_retried_total", {}, retried);
  metrics.total("genkan_address_conflicts_total", {}, conflicts);
  metrics.total("genkan_address_overlaps_total", {}, overlaps);
  metrics.set("genkan_multicast_groups", { state: "joined" }, counts.groups);
  metrics.set("genkan_multicast_groups", { state: "refused" }, counts.refusedGroups);
}

function observeTraffic(metrics: Metrics, { services }: Pick<TrafficWatch, "services">): void {
  metrics.clearLabelled("service");
  for (const { service, total } of measured(services)) {
    metrics.total("genkan_service_connections_total", { service }, total.connections);
    metrics.total("genkan_service_packets_total", { service }, total.packets);
    metrics.total("genkan_service_bytes_total", { service }, total.bytes);
  }
}

function observeGossip(metrics: Metrics, { view, counts }: Pick<GossipThread, "view" | "counts">): void {
  const members = Object.groupBy(view.members.values(), ({ state }) => state);
  for (const state of ["alive", "suspect", "dead", "left"] as const)
    metrics.set("genkan_gossip_members", { state }, members[state]?.length ?? 0);
  if (counts === undefined) return;
  metrics.total("genkan_gossip_deaths_total", {}, counts.deaths);
  metrics.total("genkan_gossip_suspicions_total", {}, counts.suspicions);
  metrics.total("genkan_gossip_stalls_total", {}, counts.stalls);
  for (const [reason, dropped] of Object.entries(counts.dropped))
    metrics.total("genkan_gossip_dropped_total", { reason }, dropped);
}

function observeRouting(metrics: Metrics, { sessions, bfd }: RoutingReport): void {
  metrics.clearLabelled("peer");
  // Of a range of routers there are several with one BGPPeer: an address is no label.
  for (const [name, own] of Map.groupBy(sessions, ({ peer }) => peer)) {
    const peer = { peer: name };
    const sum = (of: (session: SessionReport) => number): number =>
      own.reduce((total, session) => total + of(session), 0);
    const latest = (of: (session: SessionReport) => string | undefined): number =>
      Math.max(...own.map((session) => secondsOf(of(session))));
    const directed = (direction: string) => ({ ...peer, direction });
    metrics.set(
      "genkan_bgp_session_up",
      peer,
      sum(({ state }) => (state === "Established" ? 1 : 0)),
    );
    metrics.set(
      "genkan_bgp_established_timestamp_seconds",
      peer,
      latest(({ establishedAt }) => establishedAt),
    );
    metrics.set(
      "genkan_bgp_prefixes",
      directed("advertised"),
      sum((one) => one.prefixesAdvertised),
    );
    metrics.set(
      "genkan_bgp_prefixes",
      directed("received"),
      sum((one) => one.prefixesReceived),
    );
    metrics.total(
      "genkan_bgp_messages_total",
      directed("in"),
      sum((one) => one.messagesIn),
    );
    metrics.total(
      "genkan_bgp_messages_total",
      directed("out"),
      sum((one) => one.messagesOut),
    );
    metrics.total(
      "genkan_bgp_updates_sent_total",
      peer,
      sum((one) => one.updatesOut),
    );
    metrics.total(
      "genkan_bgp_losses_total",
      peer,
      sum((one) => one.losses),
    );
    metrics.set(
      "genkan_bgp_last_error_timestamp_seconds",
      peer,
      latest(({ lastErrorAt }) => lastErrorAt),
    );
  }
  for (const { key, state, losses } of bfd) {
    metrics.set("genkan_bfd_session_up", { peer: key }, state === "Up" ? 1 : 0);
    metrics.total("genkan_bfd_losses_total", { peer: key }, losses);
  }
}

/** 0 where there is none. */
const secondsOf = (time: string | undefined): number => Date.parse(time ?? "") / 1_000 || 0;
