/**
 * Kubernetes Events (core/v1), as `kubectl get events` and `kubectl describe` show them.
 * Emitting never waits and never fails: equal ones become one with a count, what is said of one object while others of
 * its Events still wait becomes one of those, and an Event that cannot be written is counted and dropped. Objects take
 * turns, so that no one's hundredth Event delays another one's first. An Event tells of a change; it is no log.
 */
import type { EventReason } from "#api/v1beta1/event-reasons.ts";
import type { Clock } from "#common/clock.ts";
import { errorText } from "#common/error.ts";
import type { KubeClient } from "#common/kube/client.ts";
import { isNotFound } from "#common/kube/error.ts";
import { FairQueue } from "#common/kube/fair-queue.ts";
import { events, type KubeEvent } from "#common/kube/resource.ts";
import type { Draft } from "#common/kube/wire.ts";
import type { Logger } from "#common/log.ts";
import type { Random } from "#common/random.ts";

/**
 * The object that an Event is about; a received object fits, if apiVersion and kind are given (lists leave them out).
 */
export interface EventTarget {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly uid?: string };
}

export interface EventContent {
  readonly type: "Normal" | "Warning";
  readonly reason: EventReason;
  /** For people; the server takes 1,024 bytes. */
  readonly message: string;
}

export interface EventRecorderOptions {
  readonly client: KubeClient;
  /** The component that emits it, for example "genkan-controller". */
  readonly component: string;
  /** The pod's or node's name. */
  readonly instance: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

interface Record {
  readonly target: EventTarget;
  /** The latest, where others like it were merged into it. */
  content: EventContent;
  count: number;
  readonly first: string;
  last: string;
  /** Set once it is written. */
  name: string | undefined;
  isQueued: boolean;
  lastAt: number;
}

/** Records waiting to be written; more are dropped, and counted. Of one object: more are merged into those. */
const MAX_QUEUE = 8_192;
const MAX_WAITING_OF_ONE = 8;
/** Events of one object: so many at once, then one in so many milliseconds. What comes between is counted with it. */
const BURST_OF_ONE = 25;
const EVERY_MS_OF_ONE = 30_000;
/** Objects whose Events are counted. */
const MAX_OBJECTS = 4_096;
/** So many at once, then so many a second: the writes that thousands of Services wait for go first. */
const BURST = 100;
const PER_SECOND = 20;
/** Records remembered for counting on. */
const MAX_KNOWN = 1_024;
/** An Event repeated within this time is counted on; later it is a new one. */
const SAME_MS = 600_000;
const MAX_MESSAGE = 1_000;

export class EventRecorder {
  readonly #options: EventRecorderOptions;
  readonly #known = new Map<string, Record>();
  readonly #queue = new FairQueue<Record>({ total: MAX_QUEUE, perOwner: MAX_WAITING_OF_ONE });
  readonly #allowances = new Map<string, Allowance>();
  #isWriting = false;
  #idle: (() => void)[] = [];
  #dropped = 0;
  #tokens = BURST;
  #countedAt: number;

  constructor(options: EventRecorderOptions) {
    this.#options = options;
    this.#countedAt = options.clock.now();
  }

  /** Events that were lost, to a full queue or a refusing server. */
  get dropped(): number {
    return this.#dropped;
  }

  /** `times`: how many equal ones the caller has merged into this one. */
  emit(target: EventTarget, content: EventContent, times = 1): void {
    const now = this.#options.clock.now();
    const date = `${this.#options.clock.date().toISOString().slice(0, 19)}Z`;
    const key = `${objectOf(target)} ${JSON.stringify(content)}`;
    const known = this.#known.get(key);
    if (known !== undefined && now - known.lastAt < SAME_MS) {
      known.count += times;
      known.last = date;
      known.lastAt = now;
      this.#enqueue(known);
      return;
    }
    const record = {
      target,
      content,
      count: times,
      first: date,
      last: date,
      name: undefined,
      isQueued: false,
      lastAt: now,
    };
    this.#remember(key, record);
    this.#enqueue(record);
  }

  /** Resolves when nothing is waiting, for an orderly end and for tests. */
  flush(): Promise<void> {
    if (!this.#isWriting) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  #remember(key: string, record: Record): void {
    this.#known.delete(key);
    this.#known.set(key, record);
    if (this.#known.size <= MAX_KNOWN) return;
    const oldest = this.#known.keys().next();
    if (oldest.done !== true) this.#known.delete(oldest.value);
  }

  #enqueue(record: Record): void {
    if (record.isQueued) return;
    const { namespace = "" } = record.target.metadata;
    const object = objectOf(record.target);
    const waiting = this.#queue.of(namespace, object);
    if (waiting.length >= MAX_WAITING_OF_ONE) {
      merge(waiting, record);
      return;
    }
    const allowance = this.#allowanceOf(object);
    if (allowance.left < 1) {
      // A count that grew is written with the next change; another message is gone, and the next one says so.
      if (record.name === undefined) allowance.unsaid += record.count;
      return;
    }
    if (this.#queue.size >= MAX_QUEUE) {
      this.#dropped += 1;
      if (this.#dropped === 1)
        this.#options.log.warn("events are dropped: the queue is full", { queue: MAX_QUEUE });
      return;
    }
    allowance.left -= 1;
    if (allowance.unsaid > 0) {
      const { content } = record;
      record.content = { ...content, message: `${content.message} (and ${allowance.unsaid} more before)` };
      allowance.unsaid = 0;
    }
    record.isQueued = true;
    this.#queue.push(namespace, object, record);
    if (!this.#isWriting) void this.#drain();
  }

  #allowanceOf(object: string): Allowance {
    const now = this.#options.clock.now();
    const known = this.#allowances.get(object);
    const gained = known === undefined ? BURST_OF_ONE : (now - known.at) / EVERY_MS_OF_ONE;
    const left = Math.min(BURST_OF_ONE, (known?.left ?? 0) + gained);
    const allowance = { left, at: now, unsaid: known?.unsaid ?? 0 };
    this.#allowances.delete(object);
    this.#allowances.set(object, allowance);
    if (this.#allowances.size > MAX_OBJECTS) {
      const oldest = this.#allowances.keys().next();
      if (oldest.done !== true) this.#allowances.delete(oldest.value);
    }
    return allowance;
  }

  async #drain(): Promise<void> {
    this.#isWriting = true;
    for (let record = this.#queue.shift(); record !== undefined; record = this.#queue.shift()) {
      record.isQueued = false;
      await this.#turn();
      try {
        await this.#write(record);
      } catch (error) {
        // An Event is worth no retry: it would keep back the younger ones, which say more.
        this.#dropped += 1;
        const { reason, message } = record.content;
        this.#options.log.warn("event not written", { reason, message, error: errorText(error) });
      }
    }
    this.#isWriting = false;
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  async #turn(): Promise<void> {
    const { clock } = this.#options;
    const now = clock.now();
    this.#tokens = Math.min(BURST, this.#tokens + ((now - this.#countedAt) / 1_000) * PER_SECOND);
    this.#countedAt = now;
    if (this.#tokens < 1) await clock.sleep(((1 - this.#tokens) / PER_SECOND) * 1_000);
    this.#tokens -= 1;
  }

  async #write(record: Record): Promise<void> {
    const { client } = this.#options;
    const namespace = record.target.metadata.namespace ?? "default";
    if (record.name !== undefined) {
      const message = shortened(record.content.message);
      const body = { count: record.count, lastTimestamp: record.last, message };
      try {
        await client.patch(events, { name: record.name, namespace, type: "merge", body });
        return;
      } catch (error) {
        // The server forgets Events after an hour: then it is a new one.
        if (!isNotFound(error)) throw error;
      }
    }
    const draft = this.#draft(record, namespace);
    record.name = draft.metadata.name;
    await client.create(events, draft);
  }

  #draft(record: Record, namespace: string): Draft<KubeEvent> {
    const { component, instance, random } = this.#options;
    const { apiVersion, kind, metadata } = record.target;
    const unique = Buffer.from(random.bytes(8)).toString("hex");
    return {
      metadata: { name: `${metadata.name.slice(0, 200)}.${unique}`, namespace },
      involvedObject: {
        apiVersion,
        kind,
        name: metadata.name,
        ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
        ...(metadata.uid === undefined ? {} : { uid: metadata.uid }),
      },
      type: record.content.type,
      reason: record.content.reason,
      message: shortened(record.content.message),
      source: { component, host: instance },
      reportingComponent: component,
      reportingInstance: instance,
      count: record.count,
      firstTimestamp: record.first,
      lastTimestamp: record.last,
    };
  }
}

/** What an object may still say; `unsaid` Events were left out since it last could. */
interface Allowance {
  left: number;
  readonly at: number;
  unsaid: number;
}

function objectOf({ kind, metadata: { namespace, name, uid } }: EventTarget): string {
  return JSON.stringify([kind, namespace, name, uid]);
}

/** Merges into the last waiting one of the same reason, else into the last of all: the newest text counts. */
function merge(waiting: readonly Record[], record: Record): void {
  const { type, reason } = record.content;
  const isLike = ({ content }: Record): boolean => content.type === type && content.reason === reason;
  const last = waiting.findLast(isLike) ?? waiting.at(-1);
  if (last === undefined) return;
  last.content = record.content;
  last.count += record.count;
  last.last = record.last;
}

function shortened(message: string): string {
  return message.length <= MAX_MESSAGE ? message : `${message.slice(0, MAX_MESSAGE - 3)}...`;
}
