/**
 * HTTP/1.1 to the API server over node:http(s): kept connections for requests, one connection for each watch.
 * Not undici and not client-node: they cost every node 16 to 60 MB more.
 */
import http from "node:http";
import https from "node:https";
import type { Clock } from "#common/clock.ts";
import type { Connection, Credentials } from "#common/kube/connection.ts";
import { ConnectionError, type KubeAnswer, KubeError } from "#common/kube/error.ts";

export interface TransportOptions {
  readonly clock: Clock;
  readonly userAgent: string;
  readonly maxSockets: number;
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
  /** The answer once its head is there; the caller reads the body. Same errors. `timeoutMs` is for the head. */
  stream(request: HttpRequest): Promise<http.IncomingMessage>;
  close(): void;
}

const DEFAULT_TIMEOUT_MS = 30_000;
/** Largest answer that is read. A page of 100 objects is far below; a runaway answer must not take the memory. */
const MAX_BODY_BYTES = 64 * 2 ** 20;
/** An error's body is only for its message. */
const MAX_ERROR_BYTES = 256 * 2 ** 10;
/** Below the 90 s after which the API server closes an idle connection, so that we seldom meet a closed one. */
const IDLE_SOCKET_MS = 45_000;
/** A silent peer is noticed after this and ten probes, one a second (libuv's fixed values). */
const TCP_KEEPALIVE_MS = 15_000;
/** How long credentials that were read are used without another look. */
const CREDENTIALS_MS = 1_000;

interface Agents {
  readonly requests: http.Agent;
  readonly watches: http.Agent;
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

  async json(request: HttpRequest): Promise<unknown> {
    const what = `${request.method} ${request.path}`;
    const deadline = this.#deadline(request, what);
    try {
      const response = await this.#send(request, { what, deadline, keepAlive: true });
      const body = await readBody(response, { what, maxBytes: MAX_BODY_BYTES });
      return parseJson(what, body);
    } catch (error) {
      throw deadline.reason() ?? error;
    } finally {
      deadline.end();
    }
  }

  async stream(request: HttpRequest): Promise<http.IncomingMessage> {
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

  async #send(request: HttpRequest, how: Sending): Promise<http.IncomingMessage> {
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
    const body = await readBody(response, { what: how.what, maxBytes: MAX_ERROR_BYTES });
    throw new KubeError(how.what, answerOf(code, body, response.headers["retry-after"]));
  }

  #open(request: HttpRequest, how: Sending): Promise<http.IncomingMessage> {
    const credentials = this.#readCredentials();
    const agents = this.#agentsFor(credentials);
    const body = request.body === undefined ? undefined : Buffer.from(JSON.stringify(request.body));
    const query = request.query?.toString() ?? "";
    const { promise, resolve, reject } = Promise.withResolvers<http.IncomingMessage>();
    const outgoing = (this.#isTls ? https : http).request({
      agent: how.keepAlive ? agents.requests : agents.watches,
      host: bracketless(this.#connection.server.hostname),
      port: this.#connection.server.port || (this.#isTls ? 443 : 80),
      path: joinPath(this.#connection.server.pathname, request.path) + (query === "" ? "" : `?${query}`),
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

  #headers(
    request: HttpRequest,
    credentials: Credentials,
    body: Buffer | undefined,
  ): http.OutgoingHttpHeaders {
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
      maxFreeSockets: 2,
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

/** Ends a call at its time or when its signal aborts, by destroying the request, and remembers why. */
class Deadline {
  readonly #what: string;
  readonly #signal: AbortSignal | undefined;
  readonly #cancel: () => void;
  readonly #onAbort: () => void;
  #destroy: (() => void) | undefined;
  #reason: ConnectionError | undefined;

  constructor(clock: Clock, options: { what: string; timeoutMs: number; signal: AbortSignal | undefined }) {
    this.#what = options.what;
    this.#signal = options.signal;
    this.#cancel = clock.after(options.timeoutMs, () =>
      this.#fire(
        new ConnectionError("TIMEOUT", options.what, `no whole answer within ${options.timeoutMs} ms`),
      ),
    );
    this.#onAbort = () =>
      this.#fire(new ConnectionError("ABORTED", this.#what, "aborted", this.#signal?.reason));
    this.#signal?.addEventListener("abort", this.#onAbort, { once: true });
    if (this.#signal?.aborted) this.#onAbort();
  }

  attach(destroy: () => void): void {
    this.#destroy = destroy;
    if (this.#reason !== undefined) destroy();
  }

  reason(): ConnectionError | undefined {
    return this.#reason;
  }

  endTimer(): void {
    this.#cancel();
  }

  end(): void {
    this.#cancel();
    this.#signal?.removeEventListener("abort", this.#onAbort);
  }

  #fire(reason: ConnectionError): void {
    this.#reason ??= reason;
    this.#destroy?.();
  }
}

async function readBody(
  response: http.IncomingMessage,
  limits: { readonly what: string; readonly maxBytes: number },
): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of response) {
      const bytes = chunk as Buffer;
      size += bytes.length;
      if (size > limits.maxBytes) {
        throw new ConnectionError(
          "TOO_LARGE",
          limits.what,
          `the answer is larger than ${limits.maxBytes} bytes`,
        );
      }
      chunks.push(bytes);
    }
  } catch (error) {
    if (error instanceof ConnectionError) throw error;
    throw new ConnectionError("CLOSED_EARLY", limits.what, "the connection ended within the answer", error);
  }
  return Buffer.concat(chunks, size);
}

function parseJson(what: string, body: Buffer): unknown {
  try {
    return JSON.parse(body.toString("utf8"));
  } catch (error) {
    throw new ConnectionError("NOT_JSON", what, "the answer is not JSON", error);
  }
}

/** The API server's Status object, or as much as a proxy in between lets through. */
function answerOf(code: number, body: Buffer, retryAfter: string | undefined): KubeAnswer {
  const text = body.toString("utf8");
  const seconds = Number(retryAfter);
  const wait = retryAfter !== undefined && Number.isFinite(seconds) ? { retryAfterSeconds: seconds } : {};
  try {
    const status = JSON.parse(text) as { status?: unknown; reason?: unknown; message?: unknown };
    return {
      code,
      status: String(status.status ?? "Failure"),
      reason: String(status.reason ?? http.STATUS_CODES[code] ?? "Unknown"),
      message: String(status.message ?? ""),
      ...wait,
    };
  } catch {
    // Not the API server's own words: a proxy's page, or plain text ("Unauthorized"). Its beginning must do.
    return {
      code,
      status: "Failure",
      reason: http.STATUS_CODES[code] ?? "Unknown",
      message: text.slice(0, 200),
      ...wait,
    };
  }
}

function dropIdle(agent: http.Agent): void {
  for (const sockets of Object.values(agent.freeSockets))
    for (const socket of sockets ?? []) socket.destroy();
}

function bracketless(hostname: string): string {
  return hostname.startsWith("[") ? hostname.slice(1, -1) : hostname;
}

function joinPath(base: string, path: string): string {
  return base.endsWith("/") ? base.slice(0, -1) + path : base + path;
}
