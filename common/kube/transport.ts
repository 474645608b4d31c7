/**
 * HTTP/1.1 to the API server over node:http(s): kept connections for requests, one connection for each watch.
 * Not undici and not client-node: they cost every node 16 to 60 MB more.
 */
import type { Agent, IncomingMessage, OutgoingHttpHeaders } from "node:http";
import https from "node:https";
import type { Clock } from "#common/clock.ts";
import { answerOf, parseJson, readBeginning, readBody } from "#common/kube/answer.ts";
import type { Connection, Credentials } from "#common/kube/connection.ts";
import { Deadline } from "#common/kube/deadline.ts";
import { ConnectionError, KubeError, MAX_OBJECT_BYTES } from "#common/kube/error.ts";
import { http } from "#common/node-http.ts";

export interface TransportOptions {
  readonly clock: Clock;
  readonly userAgent: string;
  readonly maxSockets: number;
  readonly keptSockets: number;
}

export interface HttpRequest {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly path: string;
  readonly query?: URLSearchParams;
  readonly body?: unknown;
  readonly contentType?: string;
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
}

export interface Transport {
  /** The answer's body as JSON; KubeError for a status of 400 and more, ConnectionError if none came. */
  json(request: HttpRequest): Promise<unknown>;
  /** The answer as `reader` reads it, within the time of the call. Same errors, and those of `reader`. */
  read<T>(request: HttpRequest, reader: (response: IncomingMessage) => Promise<T>): Promise<T>;
  /** The answer once its head is there; the caller reads the body. Same errors. `timeoutMs` is for the head. */
  stream(request: HttpRequest): Promise<IncomingMessage>;
  close(): void;
}

const DEFAULT_TIMEOUT_MS = 30_000;
/** An error's body is only for its message. */
const MAX_ERROR_BYTES = 256 * 2 ** 10;
/** Below the 90 s after which the API server closes an idle connection, so that we seldom meet a closed one. */
const IDLE_SOCKET_MS = 45_000;
/** A silent peer is noticed after this and ten probes, one a second (libuv's fixed values). */
const TCP_KEEPALIVE_MS = 15_000;
/** How long credentials that were read are used without another look. */
const CREDENTIALS_MS = 1_000;

interface Agents {
  readonly requests: Agent;
  readonly watches: Agent;
  /** The TLS material that they were made with. */
  readonly tls: string;
}

export function createTransport(connection: Connection, options: TransportOptions): Transport {
  return new HttpTransport(connection, options);
}

class HttpTransport implements Transport {
  readonly #connection: Connection;
  readonly #options: TransportOptions;
  readonly #isTls: boolean;
  #agents: Agents | undefined;
  #credentials: { readonly value: Credentials; readonly readAt: number } | undefined;

  constructor(connection: Connection, options: TransportOptions) {
    this.#connection = connection;
    this.#options = options;
    this.#isTls = connection.server.protocol === "https:";
  }

  json(request: HttpRequest): Promise<unknown> {
    const what = `${request.method} ${request.path}`;
    // One object: a runaway answer must not take the memory.
    return this.read(request, async (response) =>
      parseJson(what, await readBody(response, { what, maxBytes: MAX_OBJECT_BYTES })),
    );
  }

  async read<T>(request: HttpRequest, reader: (response: IncomingMessage) => Promise<T>): Promise<T> {
    const what = `${request.method} ${request.path}`;
    const deadline = this.#deadline(request, what);
    try {
      return await reader(await this.#send(request, { what, deadline, keepAlive: true }));
    } catch (error) {
      throw deadline.reason() ?? error;
    } finally {
      deadline.end();
    }
  }

  async stream(request: HttpRequest): Promise<IncomingMessage> {
    const what = `${request.method} ${request.path}`;
    const deadline = this.#deadline(request, what);
    try {
      const response = await this.#send(request, { what, deadline, keepAlive: false });
      // From here on the caller's signal alone ends it.
      deadline.endTimer();
      response.once("close", () => deadline.end());
      return response;
    } catch (error) {
      deadline.end();
      throw deadline.reason() ?? error;
    }
  }

  close(): void {
    this.#agents?.requests.destroy();
    this.#agents?.watches.destroy();
    this.#agents = undefined;
  }

  async #send(request: HttpRequest, how: Sending): Promise<IncomingMessage> {
    const response = await this.#open(request, how).catch((error: unknown) => {
      // The server may close a kept connection just as we use it. Only a GET may then be sent again blindly.
      if (
        request.method !== "GET" ||
        !(error instanceof StaleSocket) ||
        how.deadline.reason() !== undefined
      ) {
        throw error instanceof StaleSocket ? error.error : error;
      }
      return this.#open(request, how).catch((again: unknown) => {
        throw again instanceof StaleSocket ? again.error : again;
      });
    });
    const code = response.statusCode ?? 0;
    if (code >= 200 && code < 300) return response;
    if (code === 401) this.#credentials = undefined;
    const body = await readBeginning(response, MAX_ERROR_BYTES);
    const retryAfter = response.headers["retry-after"];
    throw new KubeError(how.what, answerOf({ code, body, retryAfter, date: this.#options.clock.date() }));
  }

  #open(request: HttpRequest, how: Sending): Promise<IncomingMessage> {
    const credentials = this.#readCredentials();
    const agents = this.#agentsFor(credentials);
    const body = request.body === undefined ? undefined : Buffer.from(JSON.stringify(request.body));
    const query = request.query === undefined || request.query.size === 0 ? "" : `?${request.query}`;
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const outgoing = (this.#isTls ? https : http).request({
      agent: how.keepAlive ? agents.requests : agents.watches,
      host: bracketless(this.#connection.server.hostname),
      port: this.#connection.server.port || (this.#isTls ? 443 : 80),
      path: joinPath(this.#connection.server.pathname, request.path) + query,
      method: request.method,
      headers: this.#headers(request, credentials, body),
    });
    outgoing.on("response", resolve);
    outgoing.on("error", (error) => {
      const wrapped = new ConnectionError("NETWORK", how.what, error.message, error);
      reject(outgoing.reusedSocket ? new StaleSocket(wrapped) : wrapped);
    });
    outgoing.on("socket", (socket) => socket.setKeepAlive(true, TCP_KEEPALIVE_MS));
    how.deadline.attach(() => outgoing.destroy());
    outgoing.end(body);
    return promise;
  }

  #headers(request: HttpRequest, credentials: Credentials, body: Buffer | undefined): OutgoingHttpHeaders {
    return {
      accept: "application/json",
      "user-agent": this.#options.userAgent,
      ...(credentials.token === undefined ? {} : { authorization: `Bearer ${credentials.token}` }),
      ...(body === undefined
        ? {}
        : { "content-type": request.contentType ?? "application/json", "content-length": body.length }),
    };
  }

  #readCredentials(): Credentials {
    const now = this.#options.clock.now();
    if (this.#credentials === undefined || now - this.#credentials.readAt >= CREDENTIALS_MS) {
      this.#credentials = { value: this.#connection.credentials(), readAt: now };
    }
    return this.#credentials.value;
  }

  /** New agents when the CA or the client certificate was replaced; running requests finish on the old ones. */
  #agentsFor(credentials: Credentials): Agents {
    const { token: _token, ...material } = credentials;
    const tls = JSON.stringify(material);
    if (this.#agents !== undefined && this.#agents.tls === tls) return this.#agents;
    const before = this.#agents;
    const tlsOptions: https.AgentOptions = {
      ...(credentials.ca === undefined ? {} : { ca: credentials.ca }),
      ...(credentials.certificate === undefined ? {} : { cert: credentials.certificate }),
      ...(credentials.key === undefined ? {} : { key: credentials.key }),
      ...(credentials.serverName === undefined ? {} : { servername: credentials.serverName }),
      ...(credentials.insecure === true ? { rejectUnauthorized: false } : {}),
    };
    const kept = {
      keepAlive: true,
      maxSockets: this.#options.maxSockets,
      maxFreeSockets: this.#options.keptSockets,
      timeout: IDLE_SOCKET_MS,
    };
    this.#agents = this.#isTls
      ? { requests: new https.Agent({ ...tlsOptions, ...kept }), watches: new https.Agent(tlsOptions), tls }
      : { requests: new http.Agent(kept), watches: new http.Agent(), tls };
    for (const agent of before === undefined ? [] : [before.requests, before.watches]) dropIdle(agent);
    return this.#agents;
  }

  #deadline(request: HttpRequest, what: string): Deadline {
    return new Deadline(this.#options.clock, {
      what,
      timeoutMs: request.timeoutMs ?? DEFAULT_TIMEOUT_MS,
      signal: request.signal,
    });
  }
}

interface Sending {
  readonly what: string;
  readonly deadline: Deadline;
  readonly keepAlive: boolean;
}

/** A failure on a connection that had served before: the request may not have reached the server. */
class StaleSocket extends Error {
  readonly error: ConnectionError;
  constructor(error: ConnectionError) {
    super(error.message, { cause: error });
    this.error = error;
  }
}

function dropIdle(agent: Agent): void {
  for (const sockets of Object.values(agent.freeSockets))
    for (const socket of sockets ?? []) socket.destroy();
}

function bracketless(hostname: string): string {
  return hostname.startsWith("[") ? hostname.slice(1, -1) : hostname;
}

function joinPath(base: string, path: string): string {
  return base.endsWith("/") ? base.slice(0, -1) + path : base + path;
}
