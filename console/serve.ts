/**
 * The console over HTTP, at loopback alone: `kubectl port-forward` reaches it through the API server's own encrypted
 * way, and nobody else on the network does. The page is for everybody who comes so far; what it shows is for who brings a
 * bearer token with each request, and no more than he may list himself. Nothing here writes.
 *
 * There are no cookies and no sessions: a page of somebody else that makes a browser ask here brings no token. Host is
 * looked at too, so that such a page cannot get here under a name of its own (DNS rebinding).
 */
import { readFile } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { join } from "node:path";
import { NoServiceError } from "#cli/explain/command.ts";
import { type Admission, bearerOf } from "#common/access/gate.ts";
import { errorText } from "#common/error.ts";
import { type Answer, type HttpServer, NOT_FOUND, serveAnswers } from "#common/http-answers.ts";
import type { Logger } from "#common/log.ts";
import type { Metrics } from "#common/metrics.ts";
import { AbsentError, BusyError, QuestionError, ROUTES } from "#console/answers.ts";
import type { FactsKeeper } from "#console/facts.ts";
import { KINDS, rightOf } from "#console/kinds.ts";
import type { Visitor, Visitors } from "#console/visitors.ts";

export interface ConsoleServerOptions {
  /** 0 takes a free one. */
  readonly port: number;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** In which Genkan is installed. */
  readonly namespace: string;
  /** Holds the files of the page (hack/images/page.ts). */
  readonly directory: string;
  readonly facts: Pick<FactsKeeper, "current">;
  readonly visitors: Pick<Visitors, "admit">;
}

const LOOPBACK = "127.0.0.1";
/** A few people with a few connections of their browsers each. */
const MOST_CONNECTIONS = 32;

/** The page's files, by path. */
const FILES: Readonly<Record<string, readonly [file: string, contentType: string]>> = {
  "/": ["console.html", "text/html; charset=utf-8"],
  "/console.js": ["console.js", "text/javascript; charset=utf-8"],
  "/console.css": ["console.css", "text/css; charset=utf-8"],
  "/icon.svg": ["icon.svg", "image/svg+xml"],
};

/** Of every answer. Scripts, styles and requests are our own; nothing may frame the page or read it from elsewhere. */
const HEADERS = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "cache-control": "no-store",
} as const;

const REFUSALS: Readonly<Record<Exclude<Admission, "allowed">, readonly [code: number, words: string]>> = {
  missing: [401, "a bearer token is needed"],
  unknown: [401, "the API server does not know this token"],
  forbidden: [403, "who has this token may list nothing that the console shows"],
  busy: [429, "too many tokens that are not known: try again in a moment"],
  unreachable: [503, "the API server does not say who you are: try again in a moment"],
};

/** HttpListenError if the port cannot be had; the system's error if a file of the page is not there. */
export async function serveConsole(options: ConsoleServerOptions, signal: AbortSignal): Promise<HttpServer> {
  const files = new Map<string, Answer>();
  for (const [path, [file, contentType]] of Object.entries(FILES)) {
    const body = await readFile(join(options.directory, file), "utf8");
    files.set(path, { code: 200, body, contentType, headers: HEADERS });
  }
  const { port, log, metrics } = options;
  return await serveAnswers(
    {
      port,
      host: LOOPBACK,
      log,
      mostConnections: MOST_CONNECTIONS,
      counters: metrics,
      answer: async (path, request) => {
        if (!isLocal(request.headers.host)) return failure(421, "the console answers to localhost alone");
        return files.get(path) ?? (await answerTo(options, path, request));
      },
    },
    signal,
  );
}

/** The port is that of whoever forwards. */
const isLocal = (host: string | undefined): boolean =>
  host !== undefined && /^(localhost|127\.0\.0\.1|\[::1\])(:[0-9]{1,5})?$/i.test(host);

async function answerTo(
  options: ConsoleServerOptions,
  path: string,
  request: IncomingMessage,
): Promise<Answer> {
  const route = Object.hasOwn(ROUTES, path) ? ROUTES[path] : undefined;
  if (route === undefined && path !== "/api/visitor") return { ...NOT_FOUND, headers: HEADERS };
  const { headers, socket, url = "/" } = request;
  const visitor = await options.visitors.admit(bearerOf(headers.authorization), socket.remoteAddress ?? "");
  options.metrics.count("genkan_console_requests_total", {
    verdict: typeof visitor === "string" ? visitor : "allowed",
  });
  if (typeof visitor === "string") return failure(...REFUSALS[visitor]);
  if (route === undefined) return json(200, introduction(visitor, options.namespace));
  const missing = route.needs.filter((kind) => !visitor.may.has(kind));
  if (missing.length > 0) {
    const rights = missing.map((kind) => rightOf(kind, options.namespace));
    return failure(403, `you may not list ${rights.join(", ")}`);
  }
  try {
    const facts = await options.facts.current();
    const query = new URL(url, "http://localhost").searchParams;
    return json(200, { at: facts.snapshot.at.toISOString(), ...route.answer(facts, query) });
  } catch (error) {
    if (error instanceof NoServiceError || error instanceof AbsentError) return failure(404, error.message);
    if (error instanceof QuestionError) return failure(400, error.message);
    if (error instanceof BusyError) return failure(429, error.message);
    options.log.warn("the console cannot answer", { path, error: errorText(error) });
    return failure(503, `the cluster cannot be read: ${errorText(error)}`);
  }
}

export interface VisitorAnswer {
  readonly user: string;
  /** Rights that are missing for a part of the console. */
  readonly missing: readonly string[];
}

const introduction = ({ name, may }: Visitor, namespace: string): VisitorAnswer => ({
  user: name,
  missing: KINDS.filter((kind) => !may.has(kind)).map((kind) => rightOf(kind, namespace)),
});

/** No WWW-Authenticate: a browser would open a window of its own over the page, and keep what is typed there. */
const failure = (code: number, error: string): Answer => json(code, { error });

const json = (code: number, value: object): Answer => ({
  code,
  body: `${JSON.stringify(value)}\n`,
  contentType: "application/json",
  headers: HEADERS,
});
