/**
 * Sends spans to a collector, if there is one. What is not sent is given up: a collector that is slow or away costs one
 * request in half a minute, and a bounded list. Nobody waits for it.
 */
import type { Clock } from "#common/clock.ts";
import { errorText } from "#common/error.ts";
import type { Logger } from "#common/log.ts";
import type { Metrics } from "#common/metrics.ts";
import type { Random } from "#common/random.ts";
import { encodeSpans, type Resource, type Span } from "./otlp.ts";
import { post } from "./post.ts";

export interface ExporterOptions {
  readonly clock: Pick<Clock, "after" | "now">;
  readonly random: Pick<Random, "bytes">;
  readonly log: Logger;
  readonly metrics: Pick<Metrics, "count">;
  readonly resource: Resource;
  readonly version: string;
}

/** What is gathered for one request. */
const BATCH_MS = 1_000;
const MAX_WAITING = 1_000;
/** After a request that failed. */
const PAUSE_MS = 30_000;

/** Where spans go to. */
export interface SpanSink {
  /** False: nobody asked for traces, and whoever measures for them need not. */
  readonly isOn: boolean;
  add(span: Omit<Span, "id"> & { readonly id?: string }): void;
}

/** Nobody asks for traces. */
export const NO_SPANS: SpanSink = { isOn: false, add() {} };

export class TraceExporter implements SpanSink {
  readonly #options: ExporterOptions;
  #endpoint: string | undefined;
  #waiting: Span[] = [];
  #isScheduled = false;
  #isSending = false;
  #pausedUntil = Number.NEGATIVE_INFINITY;

  constructor(options: ExporterOptions) {
    this.#options = options;
  }

  get isOn(): boolean {
    return this.#endpoint !== undefined;
  }

  /** As the LoadBalancer has it now; undefined: none. */
  setEndpoint(endpoint: string | undefined): void {
    if (endpoint === this.#endpoint) return;
    this.#endpoint = endpoint;
    this.#waiting = [];
    this.#pausedUntil = Number.NEGATIVE_INFINITY;
    this.#options.log.info("traces", { endpoint: endpoint ?? "off" });
  }

  add(span: Omit<Span, "id"> & { readonly id?: string }): void {
    if (!this.isOn) return;
    if (this.#waiting.length >= MAX_WAITING || this.#options.clock.now() < this.#pausedUntil) {
      this.#count("dropped", 1);
      return;
    }
    const id = span.id ?? Buffer.from(this.#options.random.bytes(8)).toString("hex");
    this.#waiting.push({ ...span, id });
    this.#sendSoon();
  }

  #sendSoon(): void {
    if (this.#isScheduled || this.#isSending) return;
    this.#isScheduled = true;
    this.#options.clock.after(BATCH_MS, () => {
      this.#isScheduled = false;
      void this.#send();
    });
  }

  async #send(): Promise<void> {
    const { clock, log, resource, version } = this.#options;
    const [endpoint, spans] = [this.#endpoint, this.#waiting];
    this.#waiting = [];
    if (endpoint === undefined || spans.length === 0) return;
    this.#isSending = true;
    try {
      await post(`${endpoint}/v1/traces`, encodeSpans(resource, { name: "genkan", version }, spans));
      this.#count("sent", spans.length);
    } catch (error) {
      this.#count("dropped", spans.length);
      this.#pausedUntil = clock.now() + PAUSE_MS;
      log.warn("traces are not taken by the collector, and are dropped", {
        endpoint,
        error: errorText(error),
      });
    } finally {
      this.#isSending = false;
      if (this.#waiting.length > 0) this.#sendSoon();
    }
  }

  #count(result: "sent" | "dropped", spans: number): void {
    this.#options.metrics.count("genkan_trace_spans_total", { result }, spans);
  }
}
