/**
 * Writes this node's SpeakerStatus when it changes. No pass waits for the write, because the API server may be away.
 */
import { FIELD_MANAGER } from "#api/names.ts";
import { figuresIntervalMs, STATUS_INTERVAL_MS } from "#api/report-pace.ts";
import type { Condition } from "#api/v1beta1/conditions.ts";
import type { Clock } from "#common/clock.ts";
import type { KubeClient } from "#common/kube/client.ts";
import { isNotFound } from "#common/kube/error.ts";
import { speakerStatuses } from "#common/kube/resource.ts";
import type { Logger } from "#common/log.ts";
import { createLoop, type Loop } from "#common/loop.ts";
import type { Random } from "#common/random.ts";
import { withoutFigures } from "./figures.ts";
import { FormerAddresses } from "./former-addresses.ts";
import { isNews, type Status } from "./status.ts";

export interface ReporterOptions {
  readonly client: KubeClient;
  readonly node: string;
  readonly namespace: string;
  /** How many have speakers that live: the more, the less often each of them writes what is only a count. */
  readonly nodes: () => number;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

const WRITE_TIMEOUT_MS = 5_000;
/**
 * The status is looked at again so often, in case somebody else changed or deleted it: the speaker does not watch the
 * object.
 */
const RESYNC_MS = 600_000;

export class Reporter {
  readonly #options: ReporterOptions;
  readonly #loop: Loop;
  #wanted: Status | undefined;
  /**
   * What the API server has, as far as we know. It is undefined from the moment that a write is on its way until the
   * write is confirmed: a write that failed may have arrived, or may still arrive.
   */
  #written: Status | undefined;
  #writtenAt = 0;
  /** The conditions that were wanted last. Their times are kept even while it is not known what is written. */
  #conditions: readonly Condition[] = [];
  readonly #former = new FormerAddresses();
  /** As it was reported last, and what is measured beside it. */
  #reported: Status | undefined;
  #traffic: Status["traffic"];

  constructor(options: ReporterOptions) {
    this.#options = options;
    const { clock, random, log } = options;
    this.#loop = createLoop({
      name: "status",
      clock,
      random,
      log,
      minIntervalMs: STATUS_INTERVAL_MS,
      backoffMs: { baseMs: 500, capMs: 15_000 },
      resyncMs: RESYNC_MS,
      pass: () => this.#pass(),
    });
  }

  /** Reads what an earlier process of this node has written. Throws KubeError, ConnectionError. */
  async readPresent(): Promise<Status | undefined> {
    const { client, node, namespace } = this.#options;
    const object = await client.get(speakerStatuses, node, namespace, { timeoutMs: WRITE_TIMEOUT_MS });
    this.#written = object?.status;
    this.#former.inherit(object?.status, this.#options.clock.date());
    const conditions: unknown = object?.status?.conditions;
    this.#conditions = Array.isArray(conditions) ? conditions : [];
    return object?.status;
  }

  /** The conditions that were reported last, whose times are kept. */
  get conditions(): readonly Condition[] {
    return this.#conditions;
  }

  /** Adds the record of addresses that this node had before, and what is measured. */
  report(status: Status): void {
    this.#reported = status;
    const former = this.#former.next(status.addresses ?? [], this.#options.clock.date());
    this.#wanted = {
      ...status,
      ...(former.length > 0 && { formerAddresses: [...former] }),
      ...(this.#traffic !== undefined && { traffic: this.#traffic }),
    };
    this.#conditions = status.conditions ?? [];
    if (isNews(this.#written, this.#wanted)) this.#loop.trigger();
  }

  /** What comes in for Services; undefined: it is not measured. Written only where it changed. */
  reportTraffic(traffic: Status["traffic"]): void {
    this.#traffic = traffic;
    if (this.#reported !== undefined) this.report(this.#reported);
  }

  run(signal: AbortSignal): Promise<void> {
    return this.#loop.run(signal);
  }

  async #pass(): Promise<{ retryAfterMs?: number } | undefined> {
    const since = this.#options.clock.now() - this.#writtenAt;
    if (since >= RESYNC_MS * 0.9) this.#written = undefined;
    const restMs = figuresIntervalMs(this.#options.nodes()) - since;
    if (restMs > 0 && this.#hasOnlyFigures()) return { retryAfterMs: restMs };
    await this.write();
    return undefined;
  }

  #hasOnlyFigures(): boolean {
    if (this.#written === undefined || this.#wanted === undefined) return false;
    return !isNews(withoutFigures(this.#written), withoutFigures(this.#wanted));
  }

  /** Writes at once what is not written yet. Throws KubeError, ConnectionError. */
  async write(): Promise<void> {
    const wanted = this.#wanted;
    if (wanted === undefined || !isNews(this.#written, wanted)) return;
    const { client, node, namespace } = this.#options;
    // What is reported meanwhile cannot be compared with anything, so it asks for another look after this one.
    this.#written = undefined;
    try {
      await this.#apply(wanted);
    } catch (error) {
      if (!isNotFound(error)) throw error;
      await client.create(
        speakerStatuses,
        { metadata: { name: node, namespace } },
        { timeoutMs: WRITE_TIMEOUT_MS },
      );
      await this.#apply(wanted);
    }
    this.#written = wanted;
    this.#writtenAt = this.#options.clock.now();
  }

  async #apply(status: Status): Promise<void> {
    const { client, node, namespace } = this.#options;
    await client.apply(
      speakerStatuses,
      { metadata: { name: node, namespace }, status },
      {
        fieldManager: FIELD_MANAGER.speaker,
        force: true,
        subresource: "status",
        timeoutMs: WRITE_TIMEOUT_MS,
      },
    );
  }
}
