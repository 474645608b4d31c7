/**
 * Keeps a Store equal to one resource of the API server: list in pages, then watch, and again when anything breaks.
 *
 * - A list comes in pages, and of a page one object after the other: each is parsed alone, projected and let go, so
 *   that neither the page's size nor its objects' (which tenants choose) decides what memory it takes, and the event
 *   loop is never stopped for long. Pages that are too large for one answer are asked for with fewer objects.
 * - Bookmarks keep the version to resume from young, and show that the connection is alive: a watch that is silent
 *   for `deadAfterMs` is dropped.
 * - The server ends each watch after 5 to 10 minutes, spread by chance, so that watches move on from a server that
 *   was restarted, and not all at once.
 * - After any error the watch resumes from the last version, later each time (setbacks.ts). Only a version that is too
 *   old (410) and a record that cannot be read make it list again; then only differences reach the Store, and nothing
 *   that the record meant is lost.
 * - A watch that ends soon, in whatever way, counts as an error: nothing here goes round without a pause.
 * - There is no terminal state but an aborted signal.
 */

import { isDeepStrictEqual } from "node:util";
import type { Clock } from "#common/clock.ts";
import { errorText } from "#common/error.ts";
import type { KubeClient, ListPage } from "#common/kube/client.ts";
import { isGone, isUnreadable } from "#common/kube/error.ts";
import { PageLimit } from "#common/kube/page.ts";
import type { Resource } from "#common/kube/resource.ts";
import { type OnSetback, ReflectorError, Setbacks } from "#common/kube/setbacks.ts";
import type { Store } from "#common/kube/store.ts";
import type { WatchEvent } from "#common/kube/watch.ts";
import { type KubeObject, keyOf } from "#common/kube/wire.ts";
import type { Logger } from "#common/log.ts";
import type { Random } from "#common/random.ts";

export interface ReflectorOptions<Raw extends KubeObject, T> {
  readonly client: KubeClient;
  readonly resource: Resource<Raw>;
  readonly store: Store<T>;
  /**
   * What to keep of an object; undefined keeps nothing of it, and so does an error, which is told. An object whose
   * projection did not change tells nobody. Without it the object itself is stored, without managedFields (then Raw
   * must be T).
   */
  readonly project?: (raw: Raw) => T | undefined;
  /** Told the key of each object that is gone, also of one of which nothing was kept. */
  readonly onGone?: (key: string) => void;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /** Objects in a page of a list at most; default 100. */
  readonly pageSize?: number;
  /** A watch silent for so long is dropped; default 120,000 (bookmarks come about once a minute). */
  readonly deadAfterMs?: number;
  readonly onSetback?: OnSetback;
  /** Wait after the first error and at most; default 200 and 5,000. */
  readonly backoffMs?: { readonly baseMs: number; readonly capMs: number };
}

/** Counts since the start, for metrics and tests. */
export interface ReflectorCounts {
  readonly lists: number;
  readonly watches: number;
  readonly errors: number;
  readonly events: number;
  /** Objects whose projection failed. */
  readonly unreadable: number;
  /** Errors and unreadable objects by cause: a code of ours, HTTP_503, PROJECTION, OTHER. */
  readonly causes: Readonly<Record<string, number>>;
}

/** The server ends a watch after so many seconds: the lower bound, and what chance adds at most. */
const WATCH_SECONDS = { least: 300, spread: 300 } as const;
const DEFAULT_BACKOFF = { baseMs: 200, capMs: 5_000 } as const;
/** A watch that stood so long was a good one: the next error starts with the shortest wait. */
const GOOD_WATCH_MS = 5_000;
/** Pages in a row that brought nothing new and promised more. The API allows empty ones; a circle has no end. */
const MAX_IDLE_PAGES = 20;
/** Objects that are kept by name because they cannot be read. */
const MAX_UNREADABLE = 100;

export class Reflector<Raw extends KubeObject, T = Raw> {
  readonly #options: ReflectorOptions<Raw, T>;
  readonly #synced = Promise.withResolvers<void>();
  /** Version of every object that was seen, whether it was stored or not: what a relist compares with. */
  readonly #versions = new Map<string, string>();
  /** Key -> why its projection failed. */
  readonly #unreadable = new Map<string, string>();
  readonly #counts = { lists: 0, watches: 0, errors: 0, events: 0, unreadable: 0 };
  readonly #setbacks: Setbacks;
  readonly #pageLimit: PageLimit;
  #version: string | undefined;
  #hasSynced = false;
  #lastContact: number;

  constructor(options: ReflectorOptions<Raw, T>) {
    this.#options = options;
    const { clock, random, backoffMs = DEFAULT_BACKOFF } = options;
    const log = options.log.child({ resource: options.resource.plural });
    const onCause = (cause: string): void => options.onSetback?.(options.resource.plural, cause);
    this.#setbacks = new Setbacks({ clock, random, log, backoffMs, onCause });
    this.#pageLimit = new PageLimit(options.pageSize ?? 100);
    this.#lastContact = options.clock.now();
  }

  /** Runs until `signal` aborts; resolves then, and never rejects. */
  async start(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        if (this.#version === undefined) await this.#list(signal);
        await this.#watch(signal);
      } catch (error) {
        if (signal.aborted) break;
        this.#counts.errors += 1;
        if (isGone(error) || isUnreadable(error)) this.#version = undefined;
        await this.#options.clock.sleep(this.#setbacks.note(error), signal);
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

  /** Objects that are left out now because their projection failed, and why: the first hundred. */
  unreadable(): ReadonlyMap<string, string> {
    return this.#unreadable;
  }

  counts(): ReflectorCounts {
    return { ...this.#counts, causes: this.#setbacks.causes() };
  }

  async #list(signal: AbortSignal): Promise<void> {
    this.#counts.lists += 1;
    const gone = new Set(this.#versions.keys());
    let isNew = false;
    const take = (object: Raw): void => {
      const key = keyOf(object);
      if (gone.delete(key) || !this.#versions.has(key)) isNew = true;
      this.#put(object);
    };
    let page: Omit<ListPage<Raw>, "items"> | undefined;
    let idlePages = 0;
    do {
      const asked = page?.continueToken;
      isNew = false;
      page = await this.#page(asked, take, signal);
      idlePages = isNew ? 0 : idlePages + 1;
      const isCircle = page.continueToken !== undefined && page.continueToken === asked;
      if (isCircle || (page.continueToken !== undefined && idlePages >= MAX_IDLE_PAGES)) {
        throw new ReflectorError("ENDLESS_LIST", "the list goes on without anything new");
      }
    } while (page.continueToken !== undefined);
    for (const key of gone) this.#drop(key);
    this.#version = page.resourceVersion;
    this.#hasSynced = true;
    this.#synced.resolve();
  }

  async #page(
    continueToken: string | undefined,
    take: (object: Raw) => void,
    signal: AbortSignal,
  ): Promise<Omit<ListPage<Raw>, "items">> {
    const { client, resource } = this.#options;
    try {
      const { items, ...page } = await client.list(resource, {
        ...this.#selection(),
        limit: this.#pageLimit.now,
        ...(continueToken === undefined ? {} : { continueToken }),
        take,
        signal,
      });
      this.#contact();
      for (const object of items) take(object);
      this.#pageLimit.came(page);
      return page;
    } catch (error) {
      this.#pageLimit.failed(error);
      throw error;
    }
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const { client, resource, clock, random, deadAfterMs = 120_000 } = this.#options;
    this.#counts.watches += 1;
    const silence = new AbortController();
    const onStop = (): void => silence.abort(signal.reason);
    signal.addEventListener("abort", onStop, { once: true });
    // A listener may have aborted it at the end of the list.
    if (signal.aborted) onStop();
    let cancel = (): void => undefined;
    let stoodSince: number | undefined;
    const stoodMs = (): number => (stoodSince === undefined ? 0 : clock.now() - stoodSince);
    const onContact = (): void => {
      this.#contact();
      cancel();
      cancel = clock.after(deadAfterMs, () =>
        silence.abort(new ReflectorError("SILENT", `the watch was silent for ${deadAfterMs} ms`)),
      );
    };
    onContact();
    try {
      const timeoutSeconds = Math.round(WATCH_SECONDS.least + random.number() * WATCH_SECONDS.spread);
      const version = this.#version;
      const options = {
        ...this.#selection(),
        ...(version === undefined ? {} : { resourceVersion: version }),
        timeoutSeconds,
        onContact: () => {
          stoodSince ??= clock.now();
          onContact();
        },
      };
      for await (const event of client.watch(resource, options, silence.signal)) this.#take(event);
      if (signal.aborted) return;
      if (silence.signal.reason instanceof ReflectorError) throw silence.signal.reason;
      if (stoodMs() < GOOD_WATCH_MS) {
        throw new ReflectorError(
          "SHORT_WATCH",
          `the server ended the watch after ${Math.round(stoodMs())} ms`,
        );
      }
    } finally {
      if (stoodMs() >= GOOD_WATCH_MS) this.#setbacks.reset();
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
    const version = event.object.metadata.resourceVersion;
    if (event.type === "DELETED") this.#drop(keyOf(event.object));
    else this.#put(event.object);
    // Last: what failed above is not taken for seen.
    this.#version = version;
  }

  #put(object: Raw): void {
    const { store, project } = this.#options;
    const key = keyOf(object);
    const version = object.metadata.resourceVersion;
    if (this.#versions.get(key) === version) return;
    // A projection decides for itself what it keeps.
    if (project === undefined) delete object.metadata.managedFields;
    this.#unreadable.delete(key);
    const value = project === undefined ? (object as unknown as T) : this.#projected(project, object);
    this.#versions.set(key, version);
    if (value === undefined) store.delete(key);
    else if (project === undefined || !isDeepStrictEqual(store.get(key), value)) store.set(key, value);
  }

  /** One object that cannot be read must not keep all others from arriving. */
  #projected(project: (raw: Raw) => T | undefined, object: Raw): T | undefined {
    try {
      return project(object);
    } catch (error) {
      this.#counts.unreadable += 1;
      if (this.#unreadable.size < MAX_UNREADABLE)
        this.#unreadable.set(keyOf(object), errorText(error).slice(0, 1_000));
      const fields = { object: keyOf(object).slice(0, 600), error: errorText(error).slice(0, 1_000) };
      this.#setbacks.log("PROJECTION", "an object cannot be read and is left out", fields);
      return undefined;
    }
  }

  #drop(key: string): void {
    this.#versions.delete(key);
    this.#unreadable.delete(key);
    this.#options.store.delete(key);
    this.#options.onGone?.(key);
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
}
