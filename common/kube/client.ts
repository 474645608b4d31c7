/**
 * The Kubernetes API for any resource: get, list, create, replace, patch, apply, remove, watch.
 * Every call has a deadline and a bounded answer; nothing is retried here (a GET on a kept connection that the
 * server had closed meanwhile is sent once more): retrying is the work of whoever knows what is wanted now.
 */
import { type Clock, systemClock } from "#common/clock.ts";
import type { Connection } from "#common/kube/connection.ts";
import { ConnectionError, isNotFound } from "#common/kube/error.ts";
import { apiVersionOf, pathOf, type Resource } from "#common/kube/resource.ts";
import { createTransport, type Transport } from "#common/kube/transport.ts";
import { type WatchEvent, watchEvents } from "#common/kube/watch.ts";
import type { Draft, KubeObject } from "#common/kube/wire.ts";

export interface CallOptions {
  readonly signal?: AbortSignal;
  /** Milliseconds for the whole call; default 30,000. */
  readonly timeoutMs?: number;
}

export interface ListOptions extends CallOptions {
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /** Items in a page. Without it the server sends all in one answer. */
  readonly limit?: number;
  readonly continueToken?: string;
  readonly resourceVersion?: string;
}

export interface ListPage<T> {
  readonly items: T[];
  readonly resourceVersion: string;
  /** There are more: give it to the next call. */
  readonly continueToken?: string;
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
  list<T extends KubeObject>(resource: Resource<T>, options?: ListOptions): Promise<ListPage<T>>;
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
}

export function createKubeClient(connection: Connection, options: KubeClientOptions = {}): KubeClient {
  const transport = createTransport(connection, {
    clock: options.clock ?? systemClock,
    userAgent: options.userAgent ?? "genkan",
    maxSockets: options.maxSockets ?? 8,
  });
  return { ...readCalls(transport), ...writeCalls(transport), close: () => transport.close() };
}

function readCalls(transport: Transport): Pick<KubeClient, "get" | "list" | "watch" | "version"> {
  return {
    async get<T extends KubeObject>(
      resource: Resource<T>,
      name: string,
      namespace?: string,
      options: CallOptions = {},
    ) {
      try {
        const path = pathOf(resource, { name, ...at(namespace) });
        return (await transport.json({ ...options, method: "GET", path })) as T;
      } catch (error) {
        if (isNotFound(error)) return undefined;
        throw error;
      }
    },
    async list<T extends KubeObject>(resource: Resource<T>, options: ListOptions = {}) {
      const path = pathOf(resource, at(options.namespace));
      const query = selectors(options);
      if (options.limit !== undefined) query.set("limit", String(options.limit));
      if (options.continueToken !== undefined) query.set("continue", options.continueToken);
      return pageOf<T>(path, await transport.json({ ...call(options), method: "GET", path, query }));
    },
    watch<T extends KubeObject>(resource: Resource<T>, options: WatchOptions, signal: AbortSignal) {
      const query = selectors(options);
      query.set("watch", "true");
      query.set("allowWatchBookmarks", "true");
      if (options.timeoutSeconds !== undefined) query.set("timeoutSeconds", String(options.timeoutSeconds));
      const path = pathOf(resource, at(options.namespace));
      return watchEvents<T>(transport, { path, query, onContact: options.onContact }, signal);
    },
    async version(options: CallOptions = {}) {
      const answer = await transport.json({ ...options, method: "GET", path: "/version" });
      return String((answer as { gitVersion?: unknown }).gitVersion ?? "");
    },
  };
}

const PATCH_TYPE = {
  merge: "application/merge-patch+json",
  json: "application/json-patch+json",
  strategic: "application/strategic-merge-patch+json",
} as const;

function writeCalls(
  transport: Transport,
): Pick<KubeClient, "create" | "replace" | "patch" | "apply" | "remove"> {
  return {
    async create<T extends KubeObject>(resource: Resource<T>, object: Draft<T>, options: WriteOptions = {}) {
      const path = pathOf(resource, at(object.metadata.namespace));
      const body = identified(resource, object);
      return (await transport.json({
        ...call(options),
        method: "POST",
        path,
        query: writing(options),
        body,
      })) as T;
    },
    async replace<T extends KubeObject>(
      resource: Resource<T>,
      object: Draft<T> | T,
      options: WriteOptions = {},
    ) {
      const path = objectPath(resource, object.metadata, options);
      const body = identified(resource, object);
      return (await transport.json({
        ...call(options),
        method: "PUT",
        path,
        query: writing(options),
        body,
      })) as T;
    },
    async patch<T extends KubeObject>(resource: Resource<T>, request: PatchRequest) {
      const path = objectPath(resource, request, request);
      const contentType = PATCH_TYPE[request.type];
      const { body } = request;
      const query = writing(request);
      return (await transport.json({
        ...call(request),
        method: "PATCH",
        path,
        query,
        body,
        contentType,
      })) as T;
    },
    async apply<T extends KubeObject>(resource: Resource<T>, object: Draft<T>, options: ApplyOptions) {
      const path = objectPath(resource, object.metadata, options);
      const query = writing(options);
      if (options.force === true) query.set("force", "true");
      const body = identified(resource, object);
      // The server reads YAML here, and JSON is YAML.
      const contentType = "application/apply-patch+yaml";
      return (await transport.json({
        ...call(options),
        method: "PATCH",
        path,
        query,
        body,
        contentType,
      })) as T;
    },
    async remove<T extends KubeObject>(resource: Resource<T>, name: string, options: RemoveOptions = {}) {
      const path = pathOf(resource, { name, ...at(options.namespace) });
      const body = {
        apiVersion: "v1",
        kind: "DeleteOptions",
        propagationPolicy: options.propagation ?? "Background",
        ...(options.uid === undefined ? {} : { preconditions: { uid: options.uid } }),
        ...(options.gracePeriodSeconds === undefined
          ? {}
          : { gracePeriodSeconds: options.gracePeriodSeconds }),
      };
      try {
        await transport.json({ ...call(options), method: "DELETE", path, body });
        return true;
      } catch (error) {
        if (isNotFound(error)) return false;
        throw error;
      }
    },
  };
}

function at(namespace: string | undefined): { namespace?: string } {
  return namespace === undefined ? {} : { namespace };
}

function objectPath(
  resource: Resource<KubeObject>,
  metadata: { readonly name: string; readonly namespace?: string },
  options: { readonly subresource?: string },
): string {
  return pathOf(resource, {
    name: metadata.name,
    ...at(metadata.namespace),
    ...(options.subresource === undefined ? {} : { subresource: options.subresource }),
  });
}

function identified(resource: Resource<KubeObject>, object: object): object {
  return { ...object, apiVersion: apiVersionOf(resource), kind: resource.kind };
}

function call(options: CallOptions): CallOptions {
  return {
    ...(options.signal === undefined ? {} : { signal: options.signal }),
    ...(options.timeoutMs === undefined ? {} : { timeoutMs: options.timeoutMs }),
  };
}

function selectors(
  options: Pick<ListOptions, "labelSelector" | "fieldSelector" | "resourceVersion">,
): URLSearchParams {
  const query = new URLSearchParams();
  for (const name of ["labelSelector", "fieldSelector", "resourceVersion"] as const) {
    const value = options[name];
    if (value !== undefined) query.set(name, value);
  }
  return query;
}

function writing(options: WriteOptions): URLSearchParams {
  const query = new URLSearchParams();
  if (options.fieldManager !== undefined) query.set("fieldManager", options.fieldManager);
  if (options.dryRun === true) query.set("dryRun", "All");
  return query;
}

function pageOf<T>(path: string, answer: unknown): ListPage<T> {
  const { items, metadata } = answer as {
    items?: T[];
    metadata?: { resourceVersion?: string; continue?: string };
  };
  if (metadata?.resourceVersion === undefined) {
    throw new ConnectionError(
      "NOT_JSON",
      `list ${path}`,
      "the answer is no list: metadata.resourceVersion is missing",
    );
  }
  const token = metadata.continue;
  return {
    items: items ?? [],
    resourceVersion: metadata.resourceVersion,
    ...(token === undefined || token === "" ? {} : { continueToken: token }),
  };
}
