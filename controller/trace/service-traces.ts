/** How long it takes to give a Service what it asks for: from the watch event to the address, and to the written status. */
import { forwardingIdsOf } from "#api/forwarding-ids.ts";
import type { Clock } from "#common/clock.ts";
import { attributesOf } from "#common/trace/attributes.ts";
import type { SpanSink } from "#common/trace/exporter.ts";
import { traceIdsOf } from "#common/trace/ids.ts";
import type { ServiceRecord } from "#controller/allocation/service.ts";
import type { StatusPlan } from "#controller/status/plan.ts";

interface Change {
  readonly seenAt: number;
  allocatedAt?: number;
}

/** Changes at once that are followed; the oldest gives way. */
const MAX_CHANGES = 1_000;

export class AllocationTraces {
  readonly #clock: Pick<Clock, "date">;
  readonly #spans: SpanSink;
  readonly #changes = new Map<string, Change>();

  constructor({ clock, spans }: { readonly clock: Pick<Clock, "date">; readonly spans: SpanSink }) {
    this.#clock = clock;
    this.#spans = spans;
  }

  /** A watch event about a Service has come. The first one counts: what waits for a pool waits from then on. */
  seen(key: string): void {
    if (!this.#spans.isOn) {
      this.#changes.clear();
      return;
    }
    if (this.#changes.has(key)) return;
    const [oldest] = this.#changes.keys();
    if (oldest !== undefined && this.#changes.size >= MAX_CHANGES) this.#changes.delete(oldest);
    this.#changes.set(key, { seenAt: this.#now() });
  }

  /** The allocator has settled these. */
  settled(keys: Iterable<string>): void {
    if (this.#changes.size === 0) return;
    const now = this.#now();
    for (const key of keys) {
      const change = this.#changes.get(key);
      if (change !== undefined) change.allocatedAt ??= now;
    }
  }

  /** It is settled, and nothing is to be written. */
  unchanged(key: string): void {
    this.#changes.delete(key);
  }

  /** The API server has taken the status. */
  written(service: ServiceRecord, plan: StatusPlan): void {
    const change = this.#changes.get(service.key);
    if (change === undefined) return;
    this.#changes.delete(service.key);
    const status = plan.patch.status ?? {};
    const ingress = status.loadBalancer === undefined ? service.ingress : (status.loadBalancer.ingress ?? []);
    const vips = ingress.flatMap(({ ip }) => ip ?? []);
    if (vips.length === 0) return;
    const { trace, root } = traceIdsOf({
      uid: service.uid,
      vips,
      ids: forwardingIdsOf(status.conditions ?? service.conditions),
    });
    const end = this.#now();
    const { seenAt, allocatedAt = end } = change;
    const attributes = attributesOf(service.key, vips);
    this.#spans.add({ trace, id: root, name: "service change", start: seenAt, end, attributes });
    this.#spans.add({ trace, parent: root, name: "allocate", start: seenAt, end: allocatedAt, attributes });
    this.#spans.add({ trace, parent: root, name: "status written", start: allocatedAt, end, attributes });
  }

  /** The Service is gone. */
  deleted(key: string): void {
    this.#changes.delete(key);
  }

  #now(): number {
    return this.#clock.date().getTime();
  }
}
