/** All metrics, in one table: name, type, labels, meaning. prom-client keeps the values. */
import { Counter, Gauge, Histogram, Registry } from "prom-client";

interface Definition {
  readonly type: "counter" | "gauge" | "histogram";
  readonly help: string;
  readonly labels: readonly string[];
  /** Histograms only. */
  readonly buckets?: readonly number[];
}

const PASS_SECONDS = [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10] as const;

const METRICS = {
  genkan_build_info: {
    type: "gauge",
    help: "Always 1; the labels say what runs.",
    labels: ["role", "version"],
  },
  genkan_process_resident_bytes: { type: "gauge", help: "Resident memory of the process.", labels: [] },
  genkan_process_cpu_seconds_total: {
    type: "gauge",
    help: "Processor time used since the start.",
    labels: [],
  },
  genkan_http_connections_closed_total: {
    type: "counter",
    help: "Connections to health and metrics that were closed so that others could ask.",
    labels: [],
  },
  genkan_metrics_requests_total: {
    type: "counter",
    help: "Requests for metrics with a token, by what became of them.",
    labels: ["verdict"],
  },
  genkan_loop_passes_total: { type: "gauge", help: "Passes of a loop since the start.", labels: ["loop"] },
  genkan_loop_failures_total: {
    type: "gauge",
    help: "Passes that failed since the start.",
    labels: ["loop"],
  },
  genkan_loop_pass_seconds: {
    type: "histogram",
    help: "Length of a pass.",
    labels: ["loop"],
    buckets: PASS_SECONDS,
  },
  genkan_api_contact_age_seconds: {
    type: "gauge",
    help: "Since the API server was last heard about a resource.",
    labels: ["resource"],
  },
  genkan_api_errors_total: {
    type: "gauge",
    help: "Lists and watches that failed since the start.",
    labels: ["resource"],
  },
  genkan_api_setbacks_total: {
    type: "counter",
    help: "Failures of lists and watches, and objects that cannot be read, by cause.",
    labels: ["resource", "cause"],
  },
  genkan_leader: { type: "gauge", help: "1 while this process leads.", labels: ["lease"] },
  genkan_pool_addresses: { type: "gauge", help: "Addresses that a pool has.", labels: ["pool", "family"] },
  genkan_pool_addresses_in_use: { type: "gauge", help: "Addresses given out.", labels: ["pool", "family"] },
  genkan_services: { type: "gauge", help: "Services of type LoadBalancer that are ours.", labels: ["state"] },
  genkan_announced_addresses: {
    type: "gauge",
    help: "Addresses that this node announces.",
    labels: ["protocol", "family"],
  },
  genkan_ownership_changes_total: {
    type: "counter",
    help: "Addresses taken over or given up.",
    labels: ["direction"],
  },
  genkan_answers_total: {
    type: "gauge",
    help: "ARP and NDP requests answered since the layer 2 worker started.",
    labels: ["protocol"],
  },
  genkan_unasked_announcements_total: {
    type: "gauge",
    help: "Gratuitous ARP and unsolicited advertisements sent since the layer 2 worker started.",
    labels: [],
  },
  genkan_frames_lost_total: {
    type: "gauge",
    help: "Answers for which a link had no room, and frames that it refused, since the layer 2 worker started.",
    labels: [],
  },
  genkan_frames_retried_total: {
    type: "gauge",
    help: "Announcements for which a link had no room and that were sent again, since the layer 2 worker started.",
    labels: [],
  },
  genkan_address_conflicts_total: {
    type: "gauge",
    help: "Frames of foreign stations that use an address of this node, since the layer 2 worker started.",
    labels: [],
  },
  genkan_multicast_groups: {
    type: "gauge",
    help: "Solicited-node groups that the node's kernel reports by MLD for announced IPv6 addresses, or refuses to.",
    labels: ["state"],
  },
  genkan_bgp_session_up: { type: "gauge", help: "1 while the session is established.", labels: ["peer"] },
  genkan_bgp_established_timestamp_seconds: {
    type: "gauge",
    help: "Since when the session is established; 0 while it is not.",
    labels: ["peer"],
  },
  genkan_bgp_prefixes: { type: "gauge", help: "Prefixes of a session.", labels: ["peer", "direction"] },
  genkan_bgp_messages_total: { type: "gauge", help: "Messages of a session.", labels: ["peer", "direction"] },
  genkan_bgp_updates_sent_total: { type: "gauge", help: "UPDATEs that were sent.", labels: ["peer"] },
  genkan_bgp_last_error_timestamp_seconds: {
    type: "gauge",
    help: "When the session or an attempt at it last failed; 0: never. The words are in SpeakerStatus.",
    labels: ["peer"],
  },
  genkan_bgp_losses_total: { type: "gauge", help: "How often the session was lost.", labels: ["peer"] },
  genkan_bfd_session_up: { type: "gauge", help: "1 while BFD says that the path is up.", labels: ["peer"] },
  genkan_bfd_losses_total: { type: "gauge", help: "How often the path was lost.", labels: ["peer"] },
  genkan_forwarding_objects: {
    type: "gauge",
    help: "What this node programs into the kernel.",
    labels: ["kind"],
  },
  genkan_forwarding_turned_away_packets_total: {
    type: "gauge",
    help: "Packets that forwarding let no further, by reason, since the node's table was made.",
    labels: ["reason"],
  },
  genkan_forwarding_writes_total: {
    type: "counter",
    help: "Changes written to the kernel.",
    labels: ["kind"],
  },
  genkan_forwarding_repairs_total: {
    type: "counter",
    help: "Entries that were not as this process had left them, and were put back.",
    labels: ["kind"],
  },
  genkan_webhook_reviews_total: {
    type: "counter",
    help: "Admission reviews answered.",
    labels: ["kind", "verdict"],
  },
} as const satisfies Readonly<Record<string, Definition>>;

export type MetricName = keyof typeof METRICS;
type NamesOf<Type extends Definition["type"]> = {
  [N in MetricName]: (typeof METRICS)[N]["type"] extends Type ? N : never;
}[MetricName];
/** The labels of one metric, all of them. */
export type LabelsOf<N extends MetricName> = Readonly<Record<(typeof METRICS)[N]["labels"][number], string>>;

/** Holds the values of one process. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #counters = new Map<string, Counter>();
  readonly #gauges = new Map<string, Gauge>();
  readonly #histograms = new Map<string, Histogram>();
  readonly #collectors: (() => void | Promise<void>)[] = [];

  /** Sets a gauge. */
  set<N extends NamesOf<"gauge">>(name: N, labels: LabelsOf<N>, value: number): void {
    const { help, labels: labelNames } = METRICS[name];
    const registers = [this.#registry];
    let gauge = this.#gauges.get(name);
    if (gauge === undefined) {
      gauge = new Gauge({ name, help, labelNames: [...labelNames], registers });
      this.#gauges.set(name, gauge);
    }
    gauge.set(labels, value);
  }

  /** Forgets every label set of a gauge, before a new set of values (pools that went away, for example). */
  clear(name: NamesOf<"gauge">): void {
    this.#gauges.get(name)?.reset();
  }

  /** Forgets all gauges' label sets that have this label. */
  clearLabelled(label: string): void {
    for (const [name, gauge] of this.#gauges) {
      const labels: readonly string[] = METRICS[name as MetricName].labels;
      if (labels.includes(label)) gauge.reset();
    }
  }

  /** Adds to a counter; default 1. */
  count<N extends NamesOf<"counter">>(name: N, labels: LabelsOf<N>, by = 1): void {
    const { help, labels: labelNames } = METRICS[name];
    const registers = [this.#registry];
    let counter = this.#counters.get(name);
    if (counter === undefined) {
      counter = new Counter({ name, help, labelNames: [...labelNames], registers });
      this.#counters.set(name, counter);
    }
    counter.inc(labels, by);
  }

  observe<N extends NamesOf<"histogram">>(name: N, labels: LabelsOf<N>, value: number): void {
    const { help, labels: labelNames, buckets } = METRICS[name];
    const registers = [this.#registry];
    let histogram = this.#histograms.get(name);
    if (histogram === undefined) {
      histogram = new Histogram({
        name,
        help,
        labelNames: [...labelNames],
        buckets: [...buckets],
        registers,
      });
      this.#histograms.set(name, histogram);
    }
    histogram.observe(labels, value);
  }

  /** `collect` runs before each page, to set what is cheap to ask for and dull to keep up to date. */
  onCollect(collect: () => void | Promise<void>): void {
    this.#collectors.push(collect);
  }

  /** Prometheus' text format. */
  async page(): Promise<string> {
    for (const collect of this.#collectors) await collect();
    return this.#registry.metrics();
  }

  get contentType(): string {
    return this.#registry.contentType;
  }
}

/** Counts why lists and watches fail: for a reflector. */
export const countSetbacks =
  (metrics: Metrics): ((resource: string, cause: string) => void) =>
  (resource, cause) =>
    metrics.count("genkan_api_setbacks_total", { resource, cause });

/** Metrics with what every process reports about itself. */
export function createMetrics(build: { readonly role: string; readonly version: string }): Metrics {
  const metrics = new Metrics();
  metrics.set("genkan_build_info", build, 1);
  metrics.onCollect(() => {
    metrics.set("genkan_process_resident_bytes", {}, process.memoryUsage.rss());
    const { user, system } = process.cpuUsage();
    metrics.set("genkan_process_cpu_seconds_total", {}, (user + system) / 1e6);
  });
  return metrics;
}
