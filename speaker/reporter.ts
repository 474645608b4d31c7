/** Writes this node's SpeakerStatus, on change only, and never holds up a pass: the API server may be away. */
import { FIELD_MANAGER } from "#api/names.ts";
import type { Condition } from "#api/v1beta1/conditions.ts";
import type { Clock } from "#common/clock.ts";
import type { KubeClient } from "#common/kube/client.ts";
import { isNotFound } from "#common/kube/error.ts";
import { speakerStatuses } from "#common/kube/resource.ts";
import type { Logger } from "#common/log.ts";
import { createLoop, type Loop } from "#common/loop.ts";
import type { Random } from "#common/random.ts";
import { isNews, type Status } from "./status.ts";

export interface ReporterOptions {
  readonly client: KubeClient;
  readonly node: string;
  readonly namespace: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

const WRITE_TIMEOUT_MS = 5_000;
/** A burst of changes is one write. */
const INTERVAL_MS = 500;

export class Reporter {
  readonly #options: ReporterOptions;
  readonly #loop: Loop;
  #wanted: Status | undefined;
  #written: Status | undefined;

  constructor(options: ReporterOptions) {
    this.#options = options;
    const { clock, random, log } = options;
    this.#loop = createLoop({
      name: "status",
      clock,
      random,
      log,
      minIntervalMs: INTERVAL_MS,
      backoffMs: { baseMs: 500, capMs: 15_000 },
      pass: () => this.write(),
    });
  }

  /** What an earlier process of this node left there. KubeError, ConnectionError. */
  async readPresent(): Promise<Status | undefined> {
    const { client, node, namespace } = this.#options;
    const object = await client.get(speakerStatuses, node, namespace, { timeoutMs: WRITE_TIMEOUT_MS });
    this.#written = object?.status;
    return object?.status;
  }

  /** The conditions that were reported last: their times go on. */
  get conditions(): readonly Condition[] {
    const conditions: unknown = (this.#wanted ?? this.#written)?.conditions;
    return Array.isArray(conditions) ? conditions : [];
  }

  report(status: Status): void {
    this.#wanted = status;
    if (isNews(this.#written, status)) this.#loop.trigger();
  }

  run(signal: AbortSignal): Promise<void> {
    return this.#loop.run(signal);
  }

  /** Writes now what is not written yet. KubeError, ConnectionError. */
  async write(): Promise<void> {
    const wanted = this.#wanted;
    if (wanted === undefined || !isNews(this.#written, wanted)) return;
    const { client, node, namespace } = this.#options;
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
