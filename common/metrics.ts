/** The values of all metrics. Names, types, labels and meanings: metric-table.ts. prom-client keeps the values. */
import { Counter, Gauge, Registry } from "prom-client";
import { METRICS, type MetricDefinition, type MetricName } from "#common/metric-table.ts";

type NamesOf<Type extends MetricDefinition["type"]> = {
  [N in MetricName]: (typeof METRICS)[N]["type"] extends Type ? N : never;
}[MetricName];
/** The labels of one metric, all of them. */
export type LabelsOf<N extends MetricName> = Readonly<Record<keyof (typeof METRICS)[N]["labels"], string>>;

/** Holds the values of one process. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #counters = new Map<string, Counter>();
  readonly #gauges = new Map<string, Gauge>();
  readonly #collectors: (() => void | Promise<void>)[] = [];

  /** Sets a gauge. */
  set<N extends NamesOf<"gauge">>(name: N, labels: LabelsOf<N>, value: number): void {
    const registers = [this.#registry];
    let gauge = this.#gauges.get(name);
    if (gauge === undefined) {
      const { meaning: help, labels: known } = METRICS[name];
      gauge = new Gauge({ name, help, labelNames: Object.keys(known), registers });
      this.#gauges.set(name, gauge);
    }
    gauge.set(labels, value);
  }

  /** Forgets every label set of a gauge, before a new set of values (pools that went away, for example). */
  clear(name: NamesOf<"gauge">): void {
    this.#gauges.get(name)?.reset();
  }

  /** Forgets all label sets that have this label. */
  clearLabelled(label: string): void {
    for (const [name, metric] of [...this.#gauges, ...this.#counters]) {
      if (label in METRICS[name as MetricName].labels) metric.reset();
    }
  }

  /** Adds to a counter; default 1. */
  count<N extends NamesOf<"counter">>(name: N, labels: LabelsOf<N>, by = 1): void {
    this.#counter(name).inc(labels, by);
  }

  /**
   * Shows a count that is kept elsewhere. If that count starts again, Prometheus takes it for a restart of the process.
   */
  total<N extends NamesOf<"counter">>(name: N, labels: LabelsOf<N>, value: number): void {
    const counter = this.#counter(name);
    counter.remove(labels);
    counter.inc(labels, value);
  }

  #counter(name: NamesOf<"counter">): Counter {
    const known = this.#counters.get(name);
    if (known !== undefined) return known;
    const { meaning: help, labels } = METRICS[name];
    const counter = new Counter({ name, help, labelNames: Object.keys(labels), registers: [this.#registry] });
    this.#counters.set(name, counter);
    return counter;
  }

  /** `collect` runs before each scrape, for gauges that are cheaper to read than to maintain. */
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
    metrics.total("genkan_process_cpu_seconds_total", {}, (user + system) / 1e6);
  });
  return metrics;
}
