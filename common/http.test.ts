import assert from "node:assert/strict";
import { request } from "node:http";
import { createServer } from "node:net";
import { test } from "node:test";
import { HttpListenError, type HttpOptions, serveHttp } from "#common/http.ts";
import { silentLogger } from "#common/log.ts";
import { createMetrics } from "#common/metrics.ts";

async function serving(options: Partial<HttpOptions> = {}) {
  const server = await serveHttp({ port: 0, host: "127.0.0.1", log: silentLogger, ...options });
  return {
    ...server,
    ask: (path: string, method = "GET") => ask(server.port, path, method),
    [Symbol.asyncDispose]: () => server.close(),
  };
}

function ask(port: number, path: string, method: string): Promise<{ code: number; body: string }> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ host: "127.0.0.1", port, path, method }, async (response) => {
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
  metrics.observe("genkan_loop_pass_seconds", { loop: "apply" }, 0.01);
  await using server = await serving({ metrics });
  age = 7;
  const { body } = await server.ask("/metrics");
  assert.match(body, /^genkan_build_info\{role="speaker",version="1"\} 1$/m);
  assert.match(body, /^genkan_api_contact_age_seconds\{resource="services"\} 7$/m);
  assert.match(body, /^genkan_ownership_changes_total\{direction="taken"\} 3$/m);
  assert.match(body, /^genkan_loop_pass_seconds_bucket\{le="0.02",loop="apply"\} 1$/m);
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
