import assert from "node:assert/strict";
import { request } from "node:http";
import { connect, createServer, type Socket } from "node:net";
import { networkInterfaces } from "node:os";
import { test } from "node:test";
import { type HttpOptions, serveHttp } from "#common/http.ts";
import { HttpListenError } from "#common/http-answers.ts";
import { silentLogger } from "#common/log.ts";
import { createMetrics } from "#common/metrics.ts";
import { watchBars } from "#test/bar.ts";
import { until } from "#test/until.ts";

async function serving(options: Partial<HttpOptions> = {}) {
  const server = await serveHttp({ port: 0, host: "127.0.0.1", log: silentLogger, ...options });
  return {
    ...server,
    ask: (path: string, method = "GET") => ask(server.port, path, method),
    [Symbol.asyncDispose]: () => server.close(),
  };
}

function ask(
  port: number,
  path: string,
  method: string,
  host = "127.0.0.1",
): Promise<{ code: number; body: string }> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ host, port, path, method, agent: false }, async (response) => {
      let body = "";
      for await (const chunk of response) body += String(chunk);
      resolve({ code: response.statusCode ?? 0, body });
    });
    outgoing.on("error", reject);
    outgoing.end();
  });
}

test("health and readiness say why not", async () => {
  let missing: string | undefined = "services are not listed yet";
  await using server = await serving({ unready: () => missing });
  assert.deepEqual(await server.ask("/healthz"), { code: 200, body: "ok\n" });
  assert.deepEqual(await server.ask("/readyz"), { code: 503, body: "services are not listed yet\n" });
  missing = undefined;
  assert.deepEqual(await server.ask("/readyz?verbose"), { code: 200, body: "ok\n" });
});

test("metrics in Prometheus' form, with what was collected for this page", async () => {
  const metrics = createMetrics({ role: "speaker", version: "1" });
  let age = 3;
  metrics.onCollect(() => metrics.set("genkan_api_contact_age_seconds", { resource: "services" }, age));
  metrics.count("genkan_ownership_changes_total", { direction: "taken" });
  metrics.count("genkan_ownership_changes_total", { direction: "taken" }, 2);
  await using server = await serving({ metrics, showsMetrics: true });
  age = 7;
  const { body } = await server.ask("/metrics");
  assert.match(body, /^genkan_build_info\{role="speaker",version="1"\} 1$/m);
  assert.match(body, /^genkan_api_contact_age_seconds\{resource="services"\} 7$/m);
  assert.match(body, /^genkan_ownership_changes_total\{direction="taken"\} 3$/m);
  assert.match(body, /^genkan_process_resident_bytes \d+$/m);
});

test("the plan is JSON, whatever is in it; a plan that throws is a 500 without its stack", async () => {
  let plan = (): unknown => ({ id: 7n, ports: new Map([["a", new Set([1])]]) });
  await using server = await serving({ plan: () => plan() });
  assert.deepEqual(JSON.parse((await server.ask("/debug/plan")).body), { id: "7", ports: { a: [1] } });
  plan = () => {
    throw new Error("secret");
  };
  assert.deepEqual(await server.ask("/debug/plan"), { code: 500, body: "internal error\n" });
});

test("neither a password nor a private key leaves the process with a plan, wherever it stands", async () => {
  const peer = { name: "tor", password: "S3cret", passwordSecret: "tor", md5: "S3cret" };
  const data = { "tls.crt": "public", "tls.key": "S3cret" };
  const plan = (): unknown => ({ sessions: new Map([["tor", { ...peer, link: new Set([peer]) }]]), data });
  await using server = await serving({ plan });
  const { body } = await server.ask("/debug/plan");
  assert.ok(!body.includes("S3cret"), body);
  const hidden = { ...peer, password: "***", md5: "***" };
  const sessions = { tor: { ...hidden, link: [hidden] } };
  assert.deepEqual(JSON.parse(body), { sessions, data: { "tls.crt": "public", "tls.key": "***" } });
});

/** Opens connections that never ask, and opens each again that is closed. */
class Crowd implements AsyncDisposable {
  readonly #port: number;
  readonly #says: string;
  readonly #open = new Set<Socket>();
  opened = 0;
  #isOver = false;

  constructor(port: number, count: number, says: string) {
    this.#port = port;
    this.#says = says;
    for (let at = 0; at < count; at += 1) this.#connect();
  }

  #connect(): void {
    if (this.#isOver) return;
    const socket = connect(this.#port, "127.0.0.1", () => {
      this.opened += 1;
      if (this.#says !== "") socket.write(this.#says);
    });
    this.#open.add(socket);
    socket.on("error", () => undefined);
    socket.on("close", () => {
      this.#open.delete(socket);
      this.#connect();
    });
    socket.resume();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    for (const socket of this.#open) socket.destroy();
    await until("the crowd to be gone", () => this.#open.size === 0);
  }
}

const CROWDS: readonly [what: string, count: number, says: string][] = [
  ["300 connections that say nothing and come again when they are closed", 300, ""],
  ["300 that begin a header and come again", 300, "GET /healthz HTTP/1.1\r\nX-"],
  ["1,000 that come again", 1_000, ""],
];
for (const [what, count, says] of CROWDS) {
  test(`probes are answered among ${what}`, async () => {
    const metrics = createMetrics({ role: "speaker", version: "1" });
    await using server = await serving({ metrics });
    await using crowd = new Crowd(server.port, count, says);
    await until("all of them", () => crowd.opened >= count);
    const bars = await watchBars();
    const tookMs: number[] = [];
    for (let round = 0; round < 5; round += 1) {
      const began = performance.now();
      assert.deepEqual(await server.ask("/healthz"), { code: 200, body: "ok\n" });
      tookMs.push(performance.now() - began);
    }
    // A kubelet waits for a second.
    await bars.hold("the slowest answer to a probe", Math.max(...tookMs), 1_000);
    assert.match(await metrics.page(), /^genkan_http_connections_closed_total [1-9]\d*$/m);
  });
}

test("an answer that is under way is whole, whoever crowds in", async () => {
  const metrics = createMetrics({ role: "speaker", version: "1" });
  const { promise, resolve } = Promise.withResolvers<void>();
  let isAsked = false;
  metrics.onCollect(async () => {
    isAsked = true;
    await promise;
  });
  await using server = await serving({ metrics, showsMetrics: true });
  const page = server.ask("/metrics");
  await until("the question", () => isAsked);
  await using crowd = new Crowd(server.port, 400, "");
  await until("all of them", () => crowd.opened >= 400);
  resolve();
  assert.match((await page).body, /^genkan_build_info/m);
});

test("metrics are not shown without a token unless that is asked for", async () => {
  const metrics = createMetrics({ role: "speaker", version: "1" });
  await using silent = await serving({ metrics });
  assert.equal((await silent.ask("/metrics")).code, 404);
});

test("metrics without a token and the plan are for callers on this host", async () => {
  const own = Object.values(networkInterfaces())
    .flat()
    .find((found) => found?.family === "IPv4" && !found.internal)?.address;
  const metrics = createMetrics({ role: "speaker", version: "1" });
  await using server = await serving({ host: "0.0.0.0", metrics, showsMetrics: true, plan: () => ({}) });
  for (const path of ["/metrics", "/debug/plan"]) {
    assert.equal((await server.ask(path)).code, 200);
    // A network of our own may have loopback alone: then nobody else can ask either.
    if (own !== undefined) assert.equal((await ask(server.port, path, "GET", own)).code, 403);
  }
});

test("nothing else is answered", async () => {
  await using server = await serving();
  assert.equal((await server.ask("/metrics")).code, 404);
  assert.equal((await server.ask("/debug/plan")).code, 404);
  assert.equal((await server.ask("/../etc/passwd")).code, 404);
  assert.equal((await server.ask("/healthz", "POST")).code, 405);
});

test("a port that is taken is a typed error", async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
  const { port } = other.address() as { port: number };
  await assert.rejects(
    serving({ port }),
    (error) => error instanceof HttpListenError && error.message.includes(String(port)),
  );
  await new Promise((resolve) => other.close(resolve));
});
