/**
 * How long what a Service was given takes on this node: from the watch event to the plan, from there until the kernel
 * was read back with it, from there until it is announced or advertised. Only while traces are asked for: else nothing
 * is kept, and a pass pays for one comparison.
 */
import type { Clock } from "#common/clock.ts";
import { attributesOf } from "#common/trace/attributes.ts";
import type { SpanSink } from "#common/trace/exporter.ts";
import { type TraceIds, traceIdsOf } from "#common/trace/ids.ts";
import type { ServiceView } from "../known/view.ts";

export interface ServiceTracesOptions {
  readonly node: string;
  readonly clock: Pick<Clock, "date">;
  readonly spans: SpanSink;
  readonly services: { get(key: string): ServiceView | undefined; keys(): Iterable<string> };
}

/** What a pass has come to. */
export interface PassResult {
  readonly mode: "IPVS" | "KubeProxy";
  /** Addresses that the kernel was read back with. */
  readonly forwarded: ReadonlySet<string>;
  /** Addresses that this node is to attract. */
  readonly attracts: (vip: string) => boolean;
  /** Addresses that this node announces or advertises by now. */
  readonly tells: (vip: string) => boolean;
}

interface Change {
  readonly ids: TraceIds;
  readonly vips: readonly string[];
  readonly seenAt: number;
  plannedAt?: number;
  forwardedAt?: number;
}

/** Changes at once that are followed; those of a burst that are more are not. */
const MAX_CHANGES = 500;
/** A change that takes longer is told as it is. */
const LIMIT_MS = 60_000;

export class ServiceTraces {
  readonly #options: ServiceTracesOptions;
  readonly #changes = new Map<string, Change>();
  /** What each Service had: a change of something else is none that is followed. Empty while traces are off. */
  #known: Map<string, string> | undefined;

  constructor(options: ServiceTracesOptions) {
    this.#options = options;
  }

  /** The Services that are there when traces begin: nobody waits for them. */
  #begin(): void {
    const { services } = this.#options;
    this.#known = new Map();
    for (const key of services.keys()) {
      const service = services.get(key);
      if (service !== undefined) this.#known.set(key, traceIdsOf(service).trace);
    }
  }

  #end(): void {
    this.#known = undefined;
    this.#changes.clear();
  }

  /** A watch event about a Service has come. */
  seen(key: string): void {
    const known = this.#known;
    if (known === undefined) return;
    const service = this.#options.services.get(key);
    if (service === undefined) {
      known.delete(key);
      this.#changes.delete(key);
      return;
    }
    const ids = traceIdsOf(service);
    if (known.get(key) === ids.trace) return;
    known.set(key, ids.trace);
    if (this.#changes.size >= MAX_CHANGES && !this.#changes.has(key)) return;
    this.#changes.set(key, { ids, vips: service.vips, seenAt: this.#now() });
  }

  /** A pass has planned all that was seen. */
  planned(): void {
    if (!this.#options.spans.isOn) {
      if (this.#known !== undefined) this.#end();
      return;
    }
    if (this.#known === undefined) this.#begin();
    if (this.#changes.size === 0) return;
    const now = this.#now();
    for (const change of this.#changes.values()) change.plannedAt ??= now;
  }

  /** A pass has ended. `resultOf` is asked only where something waits for it. */
  passed(resultOf: () => PassResult): void {
    if (this.#changes.size === 0) return;
    const result = resultOf();
    const now = this.#now();
    for (const [key, change] of this.#changes) {
      if (this.#isDone(change, result, now)) this.#finish(key, change, result, now);
      else if (now - change.seenAt >= LIMIT_MS) this.#finish(key, change, result, now, "not done after 60 s");
    }
  }

  #isDone(change: Change, { mode, forwarded, attracts, tells }: PassResult, now: number): boolean {
    if (change.plannedAt === undefined) return false;
    if (mode === "IPVS" && !change.vips.every((vip) => forwarded.has(vip))) return false;
    change.forwardedAt ??= now;
    return change.vips.every((vip) => !attracts(vip) || tells(vip));
  }

  #finish(key: string, change: Change, { mode, attracts }: PassResult, now: number, error?: string): void {
    this.#changes.delete(key);
    const { spans, node } = this.#options;
    const { ids, vips, seenAt, plannedAt = now, forwardedAt = now } = change;
    const attributes = { ...attributesOf(key, vips), "k8s.node.name": node };
    const add = (what: string, start: number, end: number): void =>
      spans.add({
        trace: ids.trace,
        parent: ids.root,
        name: what,
        start,
        end,
        attributes,
        ...(error !== undefined && { error }),
      });
    add("speaker plan", seenAt, plannedAt);
    if (mode === "IPVS") add("forwarding read back", plannedAt, forwardedAt);
    if (vips.some(attracts)) add("announced", forwardedAt, now);
  }

  #now(): number {
    return this.#options.clock.date().getTime();
  }
}
