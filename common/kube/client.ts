/**
 * The Kubernetes API for any resource: get, list, create, replace, patch, apply, remove, watch.
 * Every call has a deadline and a bounded answer; nothing is retried here (but a GET on a kept connection that the
 * server had closed meanwhile, once, and a page that is too large, with fewer objects): retrying is the work of whoever
 * knows what is wanted now.
 */
import { type Clock, systemClock } from "#common/clock.ts";
import { readCalls, writeCalls } from "#common/kube/calls.ts";
import type { Connection } from "#common/kube/connection.ts";
import type { Resource } from "#common/kube/resource.ts";
import { createTransport } from "#common/kube/transport.ts";
import type { WatchEvent } from "#common/kube/watch.ts";
import type { Draft, KubeObject } from "#common/kube/wire.ts";

export interface CallOptions {
  readonly signal?: AbortSignal;
  /** Milliseconds for the whole call; default 30,000. */
  readonly timeoutMs?: number;
}

export interface ListOptions<T = never> extends CallOptions {
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /**
   * Items in a page. Without it the server sends all in one answer. A page that is too large is asked for again with
   * fewer, down to one.
   */
  readonly limit?: number;
  readonly continueToken?: string;
  readonly resourceVersion?: string;
  /**
   * Called for each item as soon as it arrived; `items` of the page stays empty then, and no more than one item is in
   * memory. What it was called for is true also if the call fails; when a page is asked for again, it is called again.
   */
  readonly take?: (item: T) => void;
}

export interface ListPage<T> {
  readonly items: T[];
  readonly resourceVersion: string;
  /** There are more: give it to the next call. */
  readonly continueToken?: string;
  /** The limit that it was asked for with in the end. */
  readonly limit?: number;
  /** Bytes of the answer. */
  readonly bytes?: number;
}

export interface WriteOptions extends CallOptions {
  readonly fieldManager?: string;
  /** "status", or another subresource. */
  readonly subresource?: string;
  /** The server judges and answers, and stores nothing. */
  readonly dryRun?: boolean;
}

export interface ApplyOptions extends WriteOptions {
  readonly fieldManager: string;
  /** Take fields over from other managers instead of failing with 409. */
  readonly force?: boolean;
}

export interface PatchRequest extends WriteOptions {
  readonly name: string;
  readonly namespace?: string;
  readonly type: "merge" | "json" | "strategic";
  readonly body: unknown;
}

export interface RemoveOptions extends CallOptions {
  readonly namespace?: string;
  /** Remove only this very object: 409 if another one has the name now. */
  readonly uid?: string;
  readonly propagation?: "Background" | "Foreground" | "Orphan";
  readonly gracePeriodSeconds?: number;
}

export interface WatchOptions {
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /** Changes after this version. */
  readonly resourceVersion?: string;
  /** The server ends the watch after so many seconds. */
  readonly timeoutSeconds?: number;
  /** Called for the answer's head and whenever bytes arrive, bookmarks included. */
  readonly onContact?: () => void;
}

export interface KubeClient {
  /** undefined if there is no such object (404). */
  get<T extends KubeObject>(
    resource: Resource<T>,
    name: string,
    namespace?: string,
    options?: CallOptions,
  ): Promise<T | undefined>;
  list<T extends KubeObject>(resource: Resource<T>, options?: ListOptions<T>): Promise<ListPage<T>>;
  create<T extends KubeObject>(resource: Resource<T>, object: Draft<T>, options?: WriteOptions): Promise<T>;
  /** Needs metadata.resourceVersion; KubeError 409 if somebody wrote since. */
  replace<T extends KubeObject>(
    resource: Resource<T>,
    object: Draft<T> | T,
    options?: WriteOptions,
  ): Promise<T>;
  patch<T extends KubeObject>(resource: Resource<T>, request: PatchRequest): Promise<T>;
  /** Server-side apply; apiVersion and kind are filled in. */
  apply<T extends KubeObject>(resource: Resource<T>, object: Draft<T>, options: ApplyOptions): Promise<T>;
  /** False if it was not there. True means accepted: finalizers may keep it a while. */
  remove<T extends KubeObject>(
    resource: Resource<T>,
    name: string,
    options?: RemoveOptions,
  ): Promise<boolean>;
  /**
   * Changes as they come. Ends when the server ends it; throws KubeError (410: list again) or ConnectionError.
   * Aborting `signal` ends it without an error.
   */
  watch<T extends KubeObject>(
    resource: Resource<T>,
    options: WatchOptions,
    signal: AbortSignal,
  ): AsyncIterable<WatchEvent<T>>;
  /** The API server's version, for example "v1.33.4". */
  version(options?: CallOptions): Promise<string>;
  /** Closes idle connections. */
  close(): void;
}

export interface KubeClientOptions {
  readonly clock?: Clock;
  /** Shows in the audit log, for example "genkan-speaker/0.1.0". */
  readonly userAgent?: string;
  /** Simultaneous requests, watches not counted; default 8. */
  readonly maxSockets?: number;
  /** Idle connections that are kept; default 2. A process that writes in bursts keeps as many as it uses. */
  readonly keptSockets?: number;
}

export function createKubeClient(connection: Connection, options: KubeClientOptions = {}): KubeClient {
  const transport = createTransport(connection, {
    clock: options.clock ?? systemClock,
    userAgent: options.userAgent ?? "genkan",
    maxSockets: options.maxSockets ?? 8,
    keptSockets: options.keptSockets ?? 2,
  });
  return { ...readCalls(transport), ...writeCalls(transport), close: () => transport.close() };
}
