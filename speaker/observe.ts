/** The speaker's figures for Prometheus. */
import type { Clock } from "#common/clock.ts";
import type { Loop } from "#common/loop.ts";
import type { Metrics } from "#common/metrics.ts";
import type { Forwarder } from "./apply.ts";
import type { Announcer } from "./layer2/announcer.ts";
import type { Sources } from "./sources.ts";

export function observe(
  metrics: Metrics,
  parts: { announcer: Announcer; forwarder: Forwarder; sources: Sources; loop: Loop; clock: Clock },
): void {
  const { announcer, forwarder, sources, loop, clock } = parts;
  metrics.onCollect(() => {
    const count = { IPv4: new Set<string>(), IPv6: new Set<string>() };
    for (const vips of announcer.held().values()) {
      for (const vip of vips) count[vip.includes(":") ? "IPv6" : "IPv4"].add(vip);
    }
    for (const family of ["IPv4", "IPv6"] as const) {
      metrics.set("genkan_announced_addresses", { protocol: "layer2", family }, count[family].size);
    }
    const counts = forwarder.counts();
    for (const kind of ["virtualServers", "realServers", "routes", "elements"] as const) {
      metrics.set("genkan_forwarding_objects", { kind }, counts[kind]);
    }
    metrics.set("genkan_services", { state: "assigned" }, sources.services.size);
    metrics.set("genkan_loop_passes_total", { loop: "speaker" }, loop.passes);
    metrics.set("genkan_loop_failures_total", { loop: "speaker" }, loop.failures);
    for (const { resource, counts: api, lastContact } of sources.reports()) {
      metrics.set("genkan_api_contact_age_seconds", { resource }, (clock.now() - lastContact) / 1_000);
      metrics.set("genkan_api_errors_total", { resource }, api.errors);
    }
  });
}
