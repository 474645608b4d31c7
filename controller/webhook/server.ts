/**
 * The HTTPS server of the validating webhook. Unless it is told whose certificates its clients show (clients.ts),
 * everybody who reaches the port may ask. So connections, bytes, time and answers have bounds for all clients together,
 * and at a bound the connection that has waited longest is closed. The server's own certificate is renewed while it
 * runs (common/key-pair.ts).
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { TLSSocket } from "node:tls";
import type { Question } from "#api/v1beta1/admission/question.ts";
import type { AdmissionView } from "#api/v1beta1/admission/view.ts";
import type { Clock } from "#common/clock.ts";
import { Connections } from "#common/connections.ts";
import { SERVER_TIMES, SILENCE_MS } from "#common/http-limits.ts";
import { keepPair } from "#common/key-pair.ts";
import type { Logger } from "#common/log.ts";
import { readBody, TooLargeError } from "#controller/webhook/body.ts";
import { shortened } from "#controller/webhook/brief.ts";
import { Clients, type WebhookPair } from "#controller/webhook/clients.ts";
import { answer, parseReview, ReviewError } from "#controller/webhook/review.ts";
import { ReviewQueue } from "#controller/webhook/review-queue.ts";

/** An API server opens one for each review that is under way, and keeps 25. */
const MOST_CONNECTIONS = 128;
/** Of reviews that are not judged yet and answers that are not read yet, together: the largest review four times. */
const MOST_BYTES = 32 * 1024 * 1024;
/**
 * Longer than the 90 s after which an API server closes a connection that it does not need: it must be the one that
 * closes, or it may ask on a connection that is being closed, and that review fails.
 */
const KEEP_ALIVE_MS = 100_000;
const MAX_HEADER = 16 * 1024;
/** How often the log says that connections are closed for others. */
const LOG_MS = 60_000;
const PATH = "/validate";
/** Characters of a refusal in the log, which whoever asks could fill. */
const LOGGED = 1_024;

export interface WebhookOptions {
  readonly port: number;
  readonly host?: string;
  /** Reads the pair as it is now, and whose certificates clients must show, if any. */
  readonly readPair: () => Promise<WebhookPair>;
  /**
   * What the question is judged with; undefined until enough is known to judge: the request is answered 503, and the
   * API server says so.
   */
  readonly view: (question: Question) => AdmissionView | undefined | Promise<AdmissionView | undefined>;
  readonly clock: Clock;
  readonly log: Logger;
  /** Told of each review: its kind, or "" if there is none, and what became of it. */
  readonly onReviewed?: (kind: string, outcome: ReviewOutcome) => void;
}

/** `failed`: not judged, because of the client, of the request, or of ourselves. */
export type ReviewOutcome = "allowed" | "refused" | "failed";

export interface Webhook {
  readonly port: number;
  close(): Promise<void>;
}

/**
 * An answer without a verdict. It is a Status of Kubernetes, whose message the API server shows to the user who applied
 * the object; of a plain text the API server would say no more than "for an unknown reason".
 */
function failure(status: number, reason: string, message: string): Reply {
  const body = { kind: "Status", apiVersion: "v1", status: "Failure", code: status, reason, message };
  return { status, body: JSON.stringify(body), type: "application/json" };
}

/** What all requests share. */
interface Shared extends WebhookOptions {
  readonly clients: Clients;
  readonly connections: Connections;
  readonly reviews: ReviewQueue;
}

interface Reply {
  readonly status: number;
  readonly body: string;
  readonly type?: string;
  /** What is left of the request is not read. */
  readonly isLast?: boolean;
}

function respond(request: IncomingMessage, response: ServerResponse, reply: Reply, shared: Shared): void {
  const { status, body, type = "text/plain", isLast } = reply;
  const length = Buffer.byteLength(body);
  response.once("close", shared.connections.hold(request.socket, length));
  response.writeHead(status, {
    "content-type": type,
    "content-length": length,
    ...((isLast === true || !shared.clients.isKnown(request.socket)) && { connection: "close" }),
  });
  response.end(body);
}

/** undefined: the client is gone. */
async function replyTo(request: IncomingMessage, shared: Shared): Promise<Reply | undefined> {
  const path = request.url?.split("?")[0];
  if (path !== PATH || request.method !== "POST") {
    return { status: 404, body: `only POST ${PATH} is served here\n`, isLast: true };
  }
  const { connections, clients } = shared;
  const stranger = clients.refusal(request.socket as TLSSocket);
  if (stranger !== undefined) {
    shared.onReviewed?.("", "failed");
    return { ...failure(401, "Unauthorized", stranger), isLast: true };
  }
  const body = await readBody(request, (bytes) => connections.hold(request.socket, bytes));
  try {
    return await judged(request, body.bytes, shared);
  } finally {
    body.release();
  }
}

async function judged(request: IncomingMessage, body: Buffer, shared: Shared): Promise<Reply | undefined> {
  const { socket } = request;
  const { connections, reviews, log } = shared;
  const isWanted = (): boolean => !socket.destroyed;
  const review = await reviews.take(body.length, isWanted, () => parseReview(body));
  if (review === undefined) return undefined;
  const { kind } = review.question;
  const view = await connections.during(socket, async () => shared.view(review.question));
  if (view === undefined) {
    shared.onReviewed?.(kind, "failed");
    return failure(
      503,
      "ServiceUnavailable",
      "the controller has not read the cluster's pools yet; try again",
    );
  }
  const answered = await reviews.take(body.length, isWanted, () => answer(review, view));
  if (answered === undefined) return undefined;
  shared.onReviewed?.(kind, answered.response.allowed ? "allowed" : "refused");
  const { status } = answered.response;
  if (status !== undefined)
    log.info("refused by webhook", { kind, message: shortened(status.message, LOGGED) });
  return { status: 200, body: JSON.stringify(answered), type: "application/json" };
}

async function handle(request: IncomingMessage, response: ServerResponse, shared: Shared): Promise<void> {
  try {
    const reply = await replyTo(request, shared);
    if (reply !== undefined) respond(request, response, reply, shared);
  } catch (error) {
    // The connection was closed by the client, a timeout or a bound: nobody would read an answer.
    if (request.socket.destroyed) return;
    shared.onReviewed?.("", "failed");
    if (error instanceof TooLargeError) {
      const reply = failure(413, "RequestEntityTooLarge", error.message);
      respond(request, response, { ...reply, isLast: true }, shared);
    } else if (error instanceof ReviewError) {
      respond(request, response, failure(400, "BadRequest", error.message), shared);
    } else throw error;
  }
}

/**
 * Logs that somebody holds more connections than an API server would: at once, then once a minute with their number.
 */
function logNowAndThen({ clock, log }: WebhookOptions): () => void {
  let count = 0;
  let nextAt = clock.now();
  return () => {
    count += 1;
    if (clock.now() < nextAt) return;
    log.warn("connections to the webhook are closed so that others can ask", { count });
    count = 0;
    nextAt = clock.now() + LOG_MS;
  };
}

export async function startWebhook(options: WebhookOptions): Promise<Webhook> {
  const pair = await options.readPair();
  const connections = new Connections({
    most: MOST_CONNECTIONS,
    mostBytes: MOST_BYTES,
    onClosed: logNowAndThen(options),
  });
  const clients = new Clients(pair);
  const shared: Shared = { ...options, connections, clients, reviews: new ReviewQueue(options.clock) };
  const server = createServer(
    {
      ...pair,
      ...SERVER_TIMES,
      keepAliveTimeout: KEEP_ALIVE_MS,
      minVersion: "TLSv1.2",
      maxHeaderSize: MAX_HEADER,
      // The certificate is judged with each request (clients.ts): there a refusal can have a message, and the setting
      // is the newest.
      requestCert: true,
      rejectUnauthorized: false,
    },
    (request, response) => {
      handle(request, response, shared).catch((error: unknown) => {
        options.log.error("webhook request failed", { error });
        const reply = failure(500, "InternalError", "internal error; see the controller's log");
        if (!response.headersSent) respond(request, response, reply, shared);
        else response.destroy();
      });
    },
  );
  server.timeout = SILENCE_MS;
  connections.watch(server);
  server.on("secureConnection", (socket) => clients.accepted(socket));
  const stop = new AbortController();
  const { readPair, clock, log } = options;
  const onChange = (next: WebhookPair): void => {
    if (!clients.change(next)) return;
    // A handshake that is under way still uses the old setting.
    connections.closeUnready();
    server.closeIdleConnections();
  };
  const reloading = keepPair(server, pair, { what: "webhook", readPair, clock, log, onChange }, stop.signal);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port, options.host, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      stop.abort();
      await reloading;
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      connections.closeAll();
      await closed;
    },
  };
}
