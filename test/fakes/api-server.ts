/**
 * An API server for unit tests: real HTTP on loopback, objects in memory, and faults on demand.
 * It knows no schemas and no field ownership (apply merges); what needs those is tested against the real one.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Connection } from "#common/kube/connection.ts";
import { pathOf, type Resource } from "#common/kube/resource.ts";
import { type Draft, type KubeObject, keyOf } from "#common/kube/wire.ts";
import {
  type Change,
  type Json,
  matches,
  mergePatch,
  Objects,
  Refused,
  type StoredObject,
  type Target,
  targetOf,
} from "#test/fakes/objects.ts";

/** What happens to a request instead of an answer, or to its answer. */
export type Fault =
  /** The connection is reset before an answer. */
  | { readonly type: "reset" }
  | {
      readonly type: "status";
      readonly code: number;
      readonly reason?: string;
      /** The header of that name. */
      readonly retryAfter?: string;
    }
  /** No answer, ever. */
  | { readonly type: "silence" }
  /** 200 and this text; to a watch, that it ends at once after it. */
  | { readonly type: "body"; readonly text: string | ((request: SeenRequest) => string) }
  /** 200, the beginning of a body, then a reset: half a list, or half a line of a watch. */
  | { readonly type: "half"; readonly text: string };

export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage["headers"];
  readonly body: Json | undefined;
  readonly isWatch: boolean;
}

interface Watcher {
  readonly target: Target;
  readonly query: URLSearchParams;
  readonly response: ServerResponse;
}

export class FakeApiServer implements AsyncDisposable {
  readonly objects = new Objects();
  /** Every request, oldest first. */
  readonly requests: SeenRequest[] = [];
  readonly #server: Server;
  readonly #faults: {
    readonly when: (request: SeenRequest) => boolean;
    readonly fault: Fault;
    left: number;
  }[] = [];
  readonly #watchers = new Set<Watcher>();

  private constructor(server: Server) {
    this.#server = server;
    server.on("request", (request, response) => void this.#serve(request, response));
    this.objects.onChange((change) => this.#tell(change));
  }

  static async start(port = 0): Promise<FakeApiServer> {
    const server = createServer();
    const fake = new FakeApiServer(server);
    await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
    return fake;
  }

  get connection(): Connection {
    const { port } = this.#server.address() as AddressInfo;
    return { server: new URL(`http://127.0.0.1:${port}`), credentials: () => ({ token: "secret" }) };
  }

  /** Watches that are open. */
  get watches(): number {
    return this.#watchers.size;
  }

  /** Creates or replaces, as if another client did; status included. */
  put<T extends KubeObject>(resource: Resource<T>, object: Draft<T>): StoredObject {
    const { collection } = targetOf(pathOf(resource));
    const key = keyOf(object);
    const { resourceVersion: _, ...metadata } = object.metadata;
    const json: Json = { ...object, metadata };
    return this.objects.get(collection, key) === undefined
      ? this.objects.create(collection, key, json)
      : this.objects.replace(collection, key, json);
  }

  remove<T extends KubeObject>(resource: Resource<T>, key: string): boolean {
    return this.objects.remove(targetOf(pathOf(resource)).collection, key);
  }

  get<T extends KubeObject>(resource: Resource<T>, key: string): T | undefined {
    return this.objects.get(targetOf(pathOf(resource)).collection, key) as T | undefined;
  }

  /** The next request that `when` holds for meets `fault`, or so many of them. */
  inject(fault: Fault, when: (request: SeenRequest) => boolean = () => true, times = 1): void {
    this.#faults.push({ when, fault, left: times });
  }

  /** The server behaves again. */
  heal(): void {
    this.#faults.length = 0;
  }

  /** Resets every open connection. */
  resetConnections(): void {
    this.#server.closeAllConnections();
  }

  /** Ends every watch in the proper way, as the server does after timeoutSeconds. */
  endWatches(): void {
    for (const watcher of this.#watchers) watcher.response.end();
  }

  /** Tells every watch the present version. */
  bookmark(): void {
    for (const watcher of this.#watchers) {
      const object = { kind: "Bookmark", metadata: { resourceVersion: String(this.objects.version) } };
      watcher.response.write(`${JSON.stringify({ type: "BOOKMARK", object })}\n`);
    }
  }

  /** Writes `bytes` into every open watch. */
  writeToWatches(bytes: string | Buffer): void {
    for (const watcher of this.#watchers) watcher.response.write(bytes);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of request) chunks.push(chunk as Buffer);
    } catch {
      return; // The client went away: nobody is left to answer.
    }
    const url = new URL(request.url ?? "/", "http://fake");
    const text = Buffer.concat(chunks).toString("utf8");
    const seen: SeenRequest = {
      method: request.method ?? "GET",
      path: url.pathname,
      query: url.searchParams,
      headers: request.headers,
      body: text === "" ? undefined : (JSON.parse(text) as Json),
      isWatch: url.searchParams.get("watch") === "true",
    };
    this.requests.push(seen);
    const found = this.#faults.find(({ when }) => when(seen));
    if (found !== undefined) {
      found.left -= 1;
      if (found.left <= 0) this.#faults.splice(this.#faults.indexOf(found), 1);
      misbehave(found.fault, seen, response);
      return;
    }
    try {
      if (seen.isWatch) this.#watch(seen, response);
      else answer(response, 200, this.#handle(seen));
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      answer(response, error.code, status(error));
    }
  }

  #handle(request: SeenRequest): unknown {
    if (request.path === "/version") return { gitVersion: "v0.0.0-fake" };
    const target = targetOf(request.path);
    const key = target.namespace === undefined ? (target.name ?? "") : `${target.namespace}/${target.name}`;
    switch (request.method) {
      case "GET":
        return target.name === undefined ? this.#list(target, request.query) : this.#found(target, key);
      case "POST":
        return this.#create(target, request.body ?? {});
      case "PUT":
        return this.objects.replace(target.collection, key, this.#written(target, key, request.body ?? {}));
      case "PATCH":
        return this.#patch(target, key, request);
      default: {
        const uid = (request.body?.preconditions as { uid?: string } | undefined)?.uid;
        if (!this.objects.remove(target.collection, key, uid))
          throw new Refused(404, "NotFound", `${key} not found`);
        return { kind: "Status", status: "Success" };
      }
    }
  }

  #found(target: Target, key: string): StoredObject {
    const object = this.objects.get(target.collection, key);
    if (object === undefined) throw new Refused(404, "NotFound", `${target.collection} "${key}" not found`);
    return object;
  }

  #create(target: Target, body: Json): StoredObject {
    const { status: _, ...object } = body;
    const metadata = object.metadata as { name: string; namespace?: string };
    return this.objects.create(target.collection, keyOf({ metadata }), object);
  }

  #patch(target: Target, key: string, request: SeenRequest): StoredObject {
    const type = request.headers["content-type"] ?? "";
    const before = this.objects.get(target.collection, key);
    if (type.includes("json-patch"))
      throw new Refused(415, "UnsupportedMediaType", "the fake knows no JSON patch");
    if (before === undefined && type.includes("apply")) return this.#create(target, request.body ?? {});
    const merged = mergePatch(this.#found(target, key), request.body) as Json;
    return this.objects.replace(target.collection, key, this.#written(target, key, merged));
  }

  /**
   * A write to the object leaves the status alone, a write to the status leaves the rest alone; but with a Service's status
   * the API server takes its finalizers.
   */
  #written(target: Target, key: string, object: Json): Json {
    const before = this.#found(target, key);
    const metadata = object.metadata as Json;
    if (target.subresource !== "status") {
      return { ...object, ...(before.status === undefined ? {} : { status: before.status }) };
    }
    const { resourceVersion, finalizers } = metadata;
    const taken = target.collection.endsWith("/services") ? { finalizers } : {};
    return {
      ...before,
      metadata: { ...before.metadata, ...taken, resourceVersion },
      status: object.status,
    };
  }

  #list(target: Target, query: URLSearchParams): unknown {
    const token = query.get("continue");
    const [version, after] =
      token === null ? [this.objects.version, ""] : (JSON.parse(token) as [number, string]);
    if (this.objects.isCompacted(version)) throw new Refused(410, "Expired", "the continue token is too old");
    const limit = Number(query.get("limit") ?? 0);
    const all = this.objects
      .list(target.collection)
      .filter(([key, object]) => key > after && inTarget(target, object) && matches(object, query));
    const page = limit > 0 ? all.slice(0, limit) : all;
    const last = page.at(-1)?.[0] ?? "";
    const metadata = {
      resourceVersion: String(version),
      ...(page.length < all.length ? { continue: JSON.stringify([version, last]) } : {}),
    };
    return { kind: "List", metadata, items: page.map(([, object]) => object) };
  }

  #watch(request: SeenRequest, response: ServerResponse): void {
    const target = targetOf(request.path);
    const since = Number(request.query.get("resourceVersion") ?? this.objects.version);
    response.writeHead(200, { "content-type": "application/json" });
    response.flushHeaders();
    if (this.objects.isCompacted(since)) {
      const gone = status(new Refused(410, "Expired", "too old resource version"));
      response.end(`${JSON.stringify({ type: "ERROR", object: gone })}\n`);
      return;
    }
    const watcher = { target, query: request.query, response };
    this.#watchers.add(watcher);
    response.on("close", () => this.#watchers.delete(watcher));
    for (const change of this.objects.since(since)) send(watcher, change);
  }

  #tell(change: Change): void {
    for (const watcher of this.#watchers) send(watcher, change);
  }
}

function send(watcher: Watcher, change: Change): void {
  if (change.collection !== watcher.target.collection || !inTarget(watcher.target, change.object)) return;
  if (!matches(change.object, watcher.query)) return;
  watcher.response.write(`${JSON.stringify({ type: change.type, object: change.object })}\n`);
}

function inTarget(target: Target, object: StoredObject): boolean {
  return target.namespace === undefined || object.metadata.namespace === target.namespace;
}

function misbehave(fault: Fault, request: SeenRequest, response: ServerResponse): void {
  switch (fault.type) {
    case "reset":
      response.socket?.resetAndDestroy();
      return;
    case "status":
      if (fault.retryAfter !== undefined) response.setHeader("retry-after", fault.retryAfter);
      answer(
        response,
        fault.code,
        status(new Refused(fault.code, fault.reason ?? "Injected", "injected by the test")),
      );
      return;
    case "body":
      response.end(typeof fault.text === "string" ? fault.text : fault.text(request));
      return;
    case "half":
      response.writeHead(200, { "content-type": "application/json" });
      response.write(fault.text, () => response.socket?.destroySoon());
      return;
    case "silence":
  }
}

function answer(response: ServerResponse, code: number, body: unknown): void {
  response.writeHead(code, { "content-type": "application/json" });
  response.end(JSON.stringify(body));
}

function status(refused: Refused): Json {
  const { code, reason, message } = refused;
  return { kind: "Status", apiVersion: "v1", status: "Failure", code, reason, message };
}
