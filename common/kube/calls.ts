/** The calls of KubeClient as HTTP requests: paths, queries, bodies, and what a 404 means. */
import type {
  ApplyOptions,
  CallOptions,
  KubeClient,
  ListOptions,
  ListPage,
  PatchRequest,
  RemoveOptions,
  WatchOptions,
  WriteOptions,
} from "#common/kube/client.ts";
import { isNotFound, isTooLarge } from "#common/kube/error.ts";
import { readPage, smallerLimit } from "#common/kube/page.ts";
import { apiVersionOf, pathOf, type Resource } from "#common/kube/resource.ts";
import { anyObject, keptObject } from "#common/kube/shape.ts";
import type { HttpRequest, Transport } from "#common/kube/transport.ts";
import { watchEvents } from "#common/kube/watch.ts";
import type { Draft, KubeObject } from "#common/kube/wire.ts";

export function readCalls(transport: Transport): Pick<KubeClient, "get" | "list" | "watch" | "version"> {
  return {
    async get<T extends KubeObject>(
      resource: Resource<T>,
      name: string,
      namespace?: string,
      options: CallOptions = {},
    ) {
      try {
        const path = pathOf(resource, { name, ...at(namespace) });
        return keptObject<T>(`GET ${path}`, await transport.json({ ...options, method: "GET", path }));
      } catch (error) {
        if (isNotFound(error)) return undefined;
        throw error;
      }
    },
    async list<T extends KubeObject>(resource: Resource<T>, options: ListOptions<T> = {}) {
      for (let { limit } = options; ; ) {
        let arrived = 0;
        const onItem = (): void => {
          arrived += 1;
        };
        try {
          return await onePage(transport, { resource, options, limit, onItem });
        } catch (error) {
          // The smallest page is one object, and the limit at least halves: this ends.
          if (!isTooLarge(error) || limit === undefined || limit <= 1) throw error;
          limit = smallerLimit(limit, arrived);
        }
      }
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
      // What answers may be no API server: a version that it does not have is no version.
      return String((answer as { gitVersion?: unknown } | null)?.gitVersion ?? "");
    },
  };
}

const PATCH_TYPE = {
  merge: "application/merge-patch+json",
  json: "application/json-patch+json",
  strategic: "application/strategic-merge-patch+json",
} as const;

export function writeCalls(
  transport: Transport,
): Pick<KubeClient, "create" | "replace" | "patch" | "apply" | "remove"> {
  return {
    async create<T extends KubeObject>(resource: Resource<T>, object: Draft<T>, options: WriteOptions = {}) {
      const path = pathOf(resource, at(object.metadata.namespace));
      const body = identified(resource, object);
      return writtenBy<T>(transport, {
        ...call(options),
        method: "POST",
        path,
        query: writing(options),
        body,
      });
    },
    async replace<T extends KubeObject>(
      resource: Resource<T>,
      object: Draft<T> | T,
      options: WriteOptions = {},
    ) {
      const path = objectPath(resource, object.metadata, options);
      const body = identified(resource, object);
      return writtenBy<T>(transport, {
        ...call(options),
        method: "PUT",
        path,
        query: writing(options),
        body,
      });
    },
    async patch<T extends KubeObject>(resource: Resource<T>, request: PatchRequest) {
      const path = objectPath(resource, request, request);
      const contentType = PATCH_TYPE[request.type];
      const { body } = request;
      const query = writing(request);
      return writtenBy<T>(transport, {
        ...call(request),
        method: "PATCH",
        path,
        query,
        body,
        contentType,
      });
    },
    async apply<T extends KubeObject>(resource: Resource<T>, object: Draft<T>, options: ApplyOptions) {
      const path = objectPath(resource, object.metadata, options);
      const query = writing(options);
      if (options.force === true) query.set("force", "true");
      const body = identified(resource, object);
      // The server reads YAML here, and JSON is YAML.
      const contentType = "application/apply-patch+yaml";
      return writtenBy<T>(transport, {
        ...call(options),
        method: "PATCH",
        path,
        query,
        body,
        contentType,
      });
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

/** The object as it is now. */
async function writtenBy<T extends KubeObject>(transport: Transport, request: HttpRequest): Promise<T> {
  return anyObject<T>(`${request.method} ${request.path}`, await transport.json(request));
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

interface PageRequest<T extends KubeObject> {
  readonly resource: Resource<T>;
  readonly options: ListOptions<T>;
  readonly limit: number | undefined;
  readonly onItem: () => void;
}

async function onePage<T extends KubeObject>(
  transport: Transport,
  { resource, options, limit, onItem }: PageRequest<T>,
): Promise<ListPage<T>> {
  const path = pathOf(resource, at(options.namespace));
  const query = selectors(options);
  if (limit !== undefined) query.set("limit", String(limit));
  if (options.continueToken !== undefined) query.set("continue", options.continueToken);
  // Items of a list have no kind, objects of a watch do: without this an unchanged object would look changed.
  const identity = { apiVersion: apiVersionOf(resource), kind: resource.kind };
  const items: T[] = [];
  const keep = options.take ?? ((item: T): void => void items.push(item));
  const take = (item: T): void => {
    keep(Object.assign(item, identity));
    onItem();
  };
  const end = await transport.read({ ...call(options), method: "GET", path, query }, (response) =>
    readPage<T>(response, { what: `list ${path}`, limit, take }),
  );
  return { ...end, items, ...(limit === undefined ? {} : { limit }) };
}
