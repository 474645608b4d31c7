/**
 * The HTTPS server of the validating webhook. Certificates are files that the kubelet swaps under us: they are read
 * again when they change, and the server goes on with the old pair until both halves of the new one fit.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { createSecureContext } from "node:tls";
import type { Asked } from "#api/v1beta1/admission/judge.ts";
import type { View } from "#api/v1beta1/admission/view.ts";
import type { Clock } from "#common/clock.ts";
import type { Logger } from "#common/log.ts";
import { answer, parseReview, ReviewError } from "#controller/webhook/review.ts";

/** The API server's own limit for an object is 1.5 MiB; a review holds the old and the new one. */
const BODY_LIMIT = 4 * 1024 * 1024;
const REQUEST_TIMEOUT_MS = 10_000;
/** Two small files: reading them each second costs nothing, and a new certificate is served a second after it came. */
const RELOAD_MS = 1_000;
const PATH = "/validate";

export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

export interface WebhookOptions {
  readonly port: number;
  readonly host?: string;
  /** Reads the pair as it is now. */
  readonly readPair: () => Promise<KeyPair>;
  /**
   * What the question is judged with; undefined until enough is known to judge: the request is answered 503, and the
   * API server says so.
   */
  readonly view: (question: Asked) => View | undefined | Promise<View | undefined>;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface Webhook {
  readonly port: number;
  close(): Promise<void>;
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > BODY_LIMIT) throw new ReviewError(`the body is longer than ${BODY_LIMIT} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function respond(response: ServerResponse, status: number, body: string, type = "text/plain"): void {
  response.writeHead(status, { "content-type": type, "content-length": Buffer.byteLength(body) });
  response.end(body);
}

async function handle(
  request: IncomingMessage,
  response: ServerResponse,
  options: WebhookOptions,
): Promise<void> {
  const path = request.url?.split("?")[0];
  if (path !== PATH || request.method !== "POST") {
    respond(response, 404, `only POST ${PATH} is served here\n`);
    return;
  }
  try {
    const review = parseReview(await readBody(request));
    const view = await options.view({ ...review, kind: review.kind.kind });
    if (view === undefined) {
      respond(response, 503, "the controller has not read the cluster's pools yet; try again\n");
      return;
    }
    const answered = answer(review, view);
    if (!answered.response.allowed) {
      options.log.info("refused by webhook", {
        kind: review.kind.kind,
        message: answered.response.status?.message,
      });
    }
    respond(response, 200, JSON.stringify(answered), "application/json");
  } catch (error) {
    if (!(error instanceof ReviewError)) throw error;
    respond(response, 400, `${error.message}\n`);
  }
}

/** Swaps the certificate when the files have changed; a pair that does not fit is logged and left. */
function createReloader(server: Server, first: KeyPair, options: WebhookOptions): () => Promise<void> {
  let present = first;
  return async () => {
    try {
      const next = await options.readPair();
      if (next.cert === present.cert && next.key === present.key) return;
      createSecureContext(next);
      server.setSecureContext(next);
      present = next;
      options.log.info("webhook certificate reloaded");
    } catch (error) {
      // The kubelet swaps two files: the halves may not fit for a moment. The next reading finds them.
      options.log.warn("webhook certificate not reloaded, going on with the present one", { error });
    }
  };
}

export async function startWebhook(options: WebhookOptions): Promise<Webhook> {
  const pair = await options.readPair();
  const server = createServer(
    { ...pair, minVersion: "TLSv1.2", requestTimeout: REQUEST_TIMEOUT_MS },
    (request, response) => {
      handle(request, response, options).catch((error: unknown) => {
        options.log.error("webhook request failed", { error });
        if (!response.headersSent) respond(response, 500, "internal error; see the controller's log\n");
        else response.destroy();
      });
    },
  );
  const reload = createReloader(server, pair, options);
  const stop = new AbortController();
  const reloading = (async () => {
    while (!stop.signal.aborted) {
      await options.clock.sleep(RELOAD_MS, stop.signal);
      if (!stop.signal.aborted) await reload();
    }
  })().catch((error: unknown) => {
    if (!stop.signal.aborted) options.log.error("webhook certificate is no longer watched", { error });
  });
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
      server.closeAllConnections();
      await closed;
    },
  };
}
