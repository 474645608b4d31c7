/**
 * Keeps a Store equal to one resource of the API server: list in pages, then watch, and again when anything breaks.
 *
 * - Pages keep each JSON.parse short (a list of 10,000 in one piece stops the event loop for 50 to 250 ms) and the
 *   garbage small; objects lose managedFields and are projected before they are stored.
 * - Bookmarks keep the version to resume from young, and show that the connection is alive: a watch that is silent
 *   for `deadAfterMs` is dropped.
 * - The server ends each watch after 5 to 10 minutes, spread by chance, so that watches move on from a server that
 *   was restarted, and not all at once.
 * - After any error the watch resumes from the last version, later each time up to a few seconds. Only a version
 *   that is too old (410) makes it list again; then only differences reach the Store.
 * - There is no terminal state but an aborted signal.
 */

import { isDeepStrictEqual } from "node:util";
import type { Clock } from "#common/clock.ts";
import { errorText } from "#common/error.ts";
import type { KubeClient } from "#common/kube/client.ts";
import { isGone } from "#common/kube/error.ts";
import type { Resource } from "#common/kube/resource.ts";
import type { Store } from "#common/kube/store.ts";
import type { WatchEvent } from "#common/kube/watch.ts";
import { type KubeObject, keyOf } from "#common/kube/wire.ts";
import type { Logger } from "#common/log.ts";
import { backoff, type Random } from "#common/random.ts";

export interface ReflectorOptions<Raw extends KubeObject, T> {
  readonly client: KubeClient;
  readonly resource: Resource<Raw>;
  readonly store: Store<T>;
  /**
   * What to keep of an object; undefined keeps nothing of it. An object whose projection did not change tells
   * nobody. Without it the object itself is stored, without managedFields (then Raw must be T).
   */
  readonly project?: (raw: Raw) => T | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /** Objects in a page of a list; default 100. */
  readonly pageSize?: number;
  /** A watch silent for so long is dropped; default 120,000 (bookmarks come about once a minute). */
  readonly deadAfterMs?: number;
  /** Wait after the first error and at most; default 200 and 5,000. */
  readonly backoffMs?: { readonly baseMs: number; readonly capMs: number };
}

/** Counts since the start, for metrics and tests. */
export interface ReflectorCounts {
  readonly lists: number;
  readonly watches: number;
  readonly errors: number;
  readonly events: number;
}

/** The server ends a watch after so many seconds: the lower bound, and what chance adds at most. */
const WATCH_SECONDS = { least: 300, spread: 300 } as const;
const DEFAULT_BACKOFF = { baseMs: 200, capMs: 5_000 } as const;
/** A watch that lived so long was a good one: the next error starts with the shortest wait. */
const GOOD_WATCH_MS = 5_000;

export class Reflector<Raw extends KubeObject, T = Raw> {
  readonly #options: ReflectorOptions<Raw, T>;
  readonly #log: Logger;
  readonly #synced = Promise.withResolvers<void>();
  /** Version of every object that was seen, whether it was stored or not: what a relist compares with. */
  readonly #versions = new Map<string, string>();
  readonly #counts = { lists: 0, watches: 0, errors: 0, events: 0 };
  #version: string | undefined;
  #hasSynced = false;
  #lastContact: number;

  constructor(options: ReflectorOptions<Raw, T>) {
    this.#options = options;
    this.#log = options.log.child({ resource: options.resource.plural });
    this.#lastContact = options.clock.now();
  }

  /** Runs until `signal` aborts; resolves then, and never rejects. */
  async start(signal: AbortSignal): Promise<void> {
    let failures = 0;
    while (!signal.aborted) {
      const began = this.#options.clock.now();
      try {
        if (this.#version === undefined) await this.#list(signal);
        await this.#watch(signal);
        failures = 0;
      } catch (error) {
        if (signal.aborted) break;
        this.#counts.errors += 1;
        if (this.#options.clock.now() - began >= GOOD_WATCH_MS) failures = 0;
        failures += 1;
        if (isGone(error)) this.#version = undefined;
        const waitMs = backoff(failures, this.#options.backoffMs ?? DEFAULT_BACKOFF, this.#options.random);
        this.#report(error, { failures, waitMs });
        await this.#options.clock.sleep(waitMs, signal);
      }
    }
  }

  /** The first list is complete. Stays true however long the server is away. */
  hasSynced(): boolean {
    return this.#hasSynced;
  }

  synced(): Promise<void> {
    return this.#synced.promise;
  }

  /** Clock.now() of the last answer or bytes from the server; of the construction before the first. */
  lastContact(): number {
    return this.#lastContact;
  }

  counts(): ReflectorCounts {
    return { ...this.#counts };
  }

  async #list(signal: AbortSignal): Promise<void> {
    const { client, resource, pageSize = 100 } = this.#options;
    this.#counts.lists += 1;
    const gone = new Set(this.#versions.keys());
    let continueToken: string | undefined;
    let version: string;
    do {
      const page = await client.list(resource, {
        ...this.#selection(),
        limit: pageSize,
        ...(continueToken === undefined ? {} : { continueToken }),
        signal,
      });
      this.#contact();
      for (const object of page.items) {
        gone.delete(keyOf(object));
        this.#put(object);
      }
      ({ continueToken } = page);
      version = page.resourceVersion;
    } while (continueToken !== undefined);
    for (const key of gone) this.#drop(key);
    this.#version = version;
    this.#hasSynced = true;
    this.#synced.resolve();
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const { client, resource, clock, random, deadAfterMs = 120_000 } = this.#options;
    this.#counts.watches += 1;
    const silence = new AbortController();
    const onStop = (): void => silence.abort(signal.reason);
    signal.addEventListener("abort", onStop, { once: true });
    // It may have aborted while the list's end was told.
    if (signal.aborted) onStop();
    let cancel = (): void => undefined;
    const onContact = (): void => {
      this.#contact();
      cancel();
      cancel = clock.after(deadAfterMs, () => silence.abort(new WatchSilent(deadAfterMs)));
    };
    onContact();
    try {
      const timeoutSeconds = Math.round(WATCH_SECONDS.least + random.number() * WATCH_SECONDS.spread);
      const version = this.#version;
      const options = {
        ...this.#selection(),
        ...(version === undefined ? {} : { resourceVersion: version }),
        timeoutSeconds,
        onContact,
      };
      for await (const event of client.watch(resource, options, silence.signal)) this.#take(event);
      if (silence.signal.reason instanceof WatchSilent) throw silence.signal.reason;
    } finally {
      cancel();
      signal.removeEventListener("abort", onStop);
    }
  }

  #take(event: WatchEvent<Raw>): void {
    if (event.type === "BOOKMARK") {
      this.#version = event.resourceVersion;
      return;
    }
    this.#counts.events += 1;
    this.#version = event.object.metadata.resourceVersion;
    if (event.type === "DELETED") this.#drop(keyOf(event.object));
    else this.#put(event.object);
  }

  #put(object: Raw): void {
    const { store, project } = this.#options;
    const key = keyOf(object);
    const version = object.metadata.resourceVersion;
    if (this.#versions.get(key) === version) return;
    // A projection decides for itself what it keeps.
    if (project === undefined) delete object.metadata.managedFields;
    const value = project === undefined ? (object as unknown as T) : project(object);
    this.#versions.set(key, version);
    if (value === undefined) store.delete(key);
    else if (project === undefined || !isDeepStrictEqual(store.get(key), value)) store.set(key, value);
  }

  #drop(key: string): void {
    this.#versions.delete(key);
    this.#options.store.delete(key);
  }

  #contact(): void {
    this.#lastContact = this.#options.clock.now();
  }

  #selection(): { namespace?: string; labelSelector?: string; fieldSelector?: string } {
    const { namespace, labelSelector, fieldSelector } = this.#options;
    return {
      ...(namespace === undefined ? {} : { namespace }),
      ...(labelSelector === undefined ? {} : { labelSelector }),
      ...(fieldSelector === undefined ? {} : { fieldSelector }),
    };
  }

  /** The first failure of a row is told, and then every tenth: an API server that is away for days fills no disk. */
  #report(error: unknown, fields: { failures: number; waitMs: number }): void {
    const isNews = fields.failures === 1 || fields.failures % 10 === 0;
    const record = { error: errorText(error), failures: fields.failures, waitMs: Math.round(fields.waitMs) };
    if (isNews) this.#log.warn("lost contact with the API server, going on with what is known", record);
    else this.#log.debug("still no contact with the API server", record);
  }
}

/** Not even a bookmark came: the connection is taken for dead. */
class WatchSilent extends Error {
  readonly code = "SILENT";
  constructor(ms: number) {
    super(`the watch was silent for ${ms} ms`);
  }
}
