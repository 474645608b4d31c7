/**
 * Writes the status of Services: a queue of keys, each at most once, and a few writes at a time; namespaces take turns.
 * What to write is decided when a key's turn comes, so that many changes become one write and nothing is written where
 * nothing is to change.
 */
import { FIELD_MANAGER } from "#api/names.ts";
import type { Cancel, Clock } from "#common/clock.ts";
import { errorText } from "#common/error.ts";
import type { KubeClient } from "#common/kube/client.ts";
import { isConflict, isNotFound } from "#common/kube/error.ts";
import { services } from "#common/kube/resource.ts";
import type { Logger } from "#common/log.ts";
import { backoff, type Random } from "#common/random.ts";
import { NamespaceTurns } from "#controller/allocation/namespace-turns.ts";
import { projectService, type ServiceRecord } from "#controller/allocation/service.ts";
import type { StatusPlan } from "#controller/status/plan.ts";

/** What is to be done about one Service now. */
export interface Decision {
  /** What to write; undefined: nothing. */
  readonly plan: StatusPlan | undefined;
  /** Milliseconds until another look is worth it although nothing changed; undefined: a change alone is. */
  readonly againMs: number | undefined;
}

/** The seam between what is decided and what is written: the writer asks, and says what it has written. */
export interface ServiceDecisions {
  /** The Service as the watch shows it. */
  observe(key: string): ServiceRecord | undefined;
  decide(service: ServiceRecord): Decision;
  /** The API server took the plan. */
  written(service: ServiceRecord, plan: StatusPlan): void;
}

export interface WriterOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly decisions: ServiceDecisions;
  /** Writes under way at once; default 8. */
  readonly concurrency?: number;
}

/**
 * Milliseconds for one write. It is given up at once with the Lease; a write that is on its way all the same names the
 * version that we saw, so the API server refuses it if anybody wrote since.
 */
const WRITE_TIMEOUT_MS = 5_000;
/**
 * So many looks without a write follow each other; then the event loop gets a turn, since none of them waits for
 * anything.
 */
const LOOKS = 256;
const RETRY = { baseMs: 50, capMs: 5_000 } as const;

/**
 * A write that the watch has not shown yet: the version that the watch showed before it, and the record that came back.
 */
interface Written {
  readonly over: string | undefined;
  readonly record: ServiceRecord | undefined;
}

export class ServiceWriter {
  readonly #options: WriterOptions;
  readonly #queue = new NamespaceTurns();
  readonly #busy = new Set<string>();
  readonly #written = new Map<string, Written>();
  readonly #failures = new Map<string, number>();
  readonly #retries = new Map<string, Cancel>();
  #wake: (() => void)[] = [];
  writes = 0;
  conflicts = 0;

  constructor(options: WriterOptions) {
    this.#options = options;
  }

  /** Keys that are to be looked at, under way or waiting for another attempt. */
  get pending(): number {
    return this.#queue.size + this.#busy.size + this.#retries.size;
  }

  /** Asks for a look at the Service; many asks before its turn are one. */
  enqueue(key: string): void {
    this.#retries.get(key)?.();
    this.#retries.delete(key);
    this.#queue.add(key);
    this.#wake.shift()?.();
  }

  /** Asks for a look after so many milliseconds, if nothing asks for one before. */
  enqueueLater(key: string, ms: number): void {
    this.#retries.get(key)?.();
    const look = (): void => {
      this.#retries.delete(key);
      this.enqueue(key);
    };
    this.#retries.set(key, this.#options.clock.after(ms, look));
  }

  /** Works until `signal` aborts; resolves when no write is under way any more. */
  async run(signal: AbortSignal): Promise<void> {
    const { concurrency = 8 } = this.#options;
    signal.addEventListener("abort", () => this.#wakeAll(), { once: true });
    await Promise.all(Array.from({ length: concurrency }, () => this.#work(signal)));
    for (const cancel of this.#retries.values()) cancel();
  }

  async #work(signal: AbortSignal): Promise<void> {
    for (let looks = 1; !signal.aborted; looks += 1) {
      if (looks % LOOKS === 0) await this.#options.clock.sleep(0, signal);
      const key = this.#next();
      if (key === undefined) {
        await new Promise<void>((resolve) => this.#wake.push(resolve));
        continue;
      }
      this.#busy.add(key);
      await this.#write(key, signal);
      this.#busy.delete(key);
      if (this.#queue.has(key)) this.#wake.shift()?.();
    }
  }

  /** The next key that nobody works on. */
  #next(): string | undefined {
    return this.#queue.take((key) => !this.#busy.has(key));
  }

  async #write(key: string, signal: AbortSignal): Promise<void> {
    const { client, decisions } = this.#options;
    // Read before the write: if the watch shows another version afterwards, that is newer than this one.
    const over = decisions.observe(key)?.resourceVersion;
    const service = this.#present(key);
    const { plan, againMs } = service === undefined ? {} : decisions.decide(service);
    if (againMs !== undefined) this.enqueueLater(key, againMs);
    if (service === undefined || plan === undefined) {
      this.#failures.delete(key);
      return;
    }
    try {
      const raw = await client.patch(services, {
        name: service.name,
        namespace: service.namespace,
        subresource: "status",
        type: "merge",
        body: plan.patch,
        fieldManager: FIELD_MANAGER.controller,
        timeoutMs: WRITE_TIMEOUT_MS,
        signal,
      });
      this.writes += 1;
      this.#written.set(key, { over, record: projectService(raw) });
      this.#failures.delete(key);
      decisions.written(service, plan);
    } catch (error) {
      this.#onError(key, error, signal);
    }
  }

  /** The watch's record, or what came back from our last write as long as the watch has not moved on. */
  #present(key: string): ServiceRecord | undefined {
    const observed = this.#options.decisions.observe(key);
    const written = this.#written.get(key);
    if (written === undefined) return observed;
    if (observed !== undefined && observed.resourceVersion === written.over) return written.record;
    this.#written.delete(key);
    return observed;
  }

  #onError(key: string, error: unknown, signal: AbortSignal): void {
    this.#written.delete(key);
    if (signal.aborted || isNotFound(error)) return;
    const failures = (this.#failures.get(key) ?? 0) + 1;
    this.#failures.set(key, failures);
    const waitMs = backoff(failures, RETRY, this.#options.random);
    if (isConflict(error)) this.conflicts += 1;
    else if (failures === 1 || failures % 10 === 0) {
      this.#options.log.warn("cannot write to Service", { service: key, failures, error: errorText(error) });
    }
    this.enqueueLater(key, waitMs);
  }

  #wakeAll(): void {
    const waiting = this.#wake;
    this.#wake = [];
    for (const wake of waiting) wake();
  }
}
