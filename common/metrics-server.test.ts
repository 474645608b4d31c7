import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { type RequestOptions, request } from "node:https";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { TLSSocket } from "node:tls";
import { systemClock } from "#common/clock.ts";
import { type Fields, type Logger, silentLogger } from "#common/log.ts";
import { createMetrics } from "#common/metrics.ts";
import { parseMetricsAccess, serveMetrics } from "#common/metrics-server.ts";
import { systemRandom } from "#common/random.ts";
import { selfSigned } from "#common/self-signed.ts";
import { fakeReviews } from "#test/fakes/reviews.ts";
import { until } from "#test/until.ts";

const NAMESPACE = "genkan-system";

async function serving() {
  const directory = await mkdtemp(join(tmpdir(), "genkan-metrics-"));
  const end = new AbortController();
  const reviews = fakeReviews();
  const metrics = createMetrics({ role: "speaker", version: "1" });
  const told: [message: string, fields: Fields | undefined][] = [];
  const tell = (message: string, fields?: Fields): void => void told.push([message, fields]);
  const log: Logger = { ...silentLogger, info: tell, warn: tell, error: tell };
  const server = await serveMetrics(
    {
      clock: systemClock,
      random: systemRandom,
      log,
      metrics,
      client: reviews.client,
      port: 0,
      host: "127.0.0.1",
      certificateDirectory: directory,
      namespace: NAMESPACE,
    },
    end.signal,
  );
  return {
    reviews,
    metrics,
    told,
    directory,
    port: server.port,
    ask: (path: string, token?: string, options?: RequestOptions) => ask(server.port, path, token, options),
    [Symbol.asyncDispose]: async () => {
      end.abort();
      await server.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

interface Reply {
  readonly code: number;
  readonly body: string;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly certificate: string;
}

function ask(port: number, path: string, token?: string, options: RequestOptions = {}): Promise<Reply> {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const to = { host: "127.0.0.1", port, path, agent: false, rejectUnauthorized: false, headers, ...options };
  return new Promise((resolve, reject) => {
    const outgoing = request(to, async (response) => {
      const certificate = (response.socket as TLSSocket).getPeerX509Certificate()?.toString() ?? "";
      let body = "";
      for await (const chunk of response) body += String(chunk);
      resolve({ code: response.statusCode ?? 0, body, headers: response.headers, certificate });
    });
    outgoing.on("error", reject).end();
  });
}

test("metrics are for who has the right, over HTTPS; everybody else is told why not, and no more", async () => {
  await using server = await serving();
  const page = await server.ask("/metrics", "prometheus-token");
  assert.equal(page.code, 200);
  assert.match(page.body, /^genkan_build_info/m);
  assert.match(String(page.headers["content-type"]), /^text\/plain/);
  const none = await server.ask("/metrics");
  assert.deepEqual([none.code, none.headers["www-authenticate"]], [401, "Bearer"]);
  assert.equal((await server.ask("/metrics", "S3cret-garbage")).code, 401);
  assert.equal((await server.ask("/metrics", "pod-token")).code, 403);
  server.reviews.isAway = true;
  assert.equal((await server.ask("/metrics", "prometheus-token")).code, 200, "its answer is kept");
  const away = await server.ask("/metrics", "S3cret-new");
  assert.deepEqual([away.code, away.headers["retry-after"]], [503, "5"]);
  for (const token of [undefined, "S3cret-garbage", "pod-token", "S3cret-new"]) {
    const { body } = await server.ask("/metrics", token);
    assert.doesNotMatch(body, /genkan_[a-z_]+|S3cret|pod-token|default/, body);
  }
  assert.doesNotMatch(JSON.stringify(server.told), /S3cret|-token/);
  const counted = await server.metrics.page();
  assert.match(counted, /^genkan_metrics_requests_total\{verdict="allowed"\} 2$/m);
  assert.match(counted, /^genkan_metrics_requests_total\{verdict="unreachable"\} 2$/m);
});

test("nothing else is there, with a token or without, and no API server is asked about it", async () => {
  await using server = await serving();
  for (const token of [undefined, "prometheus-token"]) {
    for (const path of ["/healthz", "/readyz", "/debug/plan", "/", "/metrics/"]) {
      assert.equal((await server.ask(path, token)).code, 404);
    }
    assert.equal((await server.ask("/metrics", token, { method: "POST" })).code, 405);
  }
  assert.deepEqual(server.reviews.asked, []);
});

test("plain HTTP gets nothing", async () => {
  await using server = await serving();
  await assert.rejects(fetch(`http://127.0.0.1:${server.port}/metrics`), /fetch failed/);
});

test("its certificate is its own until somebody brings one, and that one when it changes", async () => {
  await using server = await serving();
  const servername = `genkan-metrics.${NAMESPACE}.svc`;
  const own = await server.ask("/metrics", "prometheus-token");
  await server.ask("/metrics", "prometheus-token", {
    ca: own.certificate,
    rejectUnauthorized: true,
    servername,
  });
  for (let round = 0; round < 2; round += 1) {
    const brought = selfSigned({
      commonName: "brought",
      dnsNames: [servername],
      now: new Date(),
      random: systemRandom,
    });
    // The key comes later, as with two files it may: until then the halves do not fit.
    await writeFile(join(server.directory, "tls.crt"), brought.cert);
    await writeFile(join(server.directory, "tls.key"), brought.key);
    await until("the new certificate", async () => {
      const options = { ca: brought.cert, rejectUnauthorized: true, servername };
      return (await server.ask("/metrics", "prometheus-token", options)).code === 200;
    });
  }
});

test("a scraper is answered among 300 connections that never shake hands and come again", async () => {
  await using server = await serving();
  const open = new Set<Socket>();
  let isOver = false;
  let opened = 0;
  const crowd = (): void => {
    if (isOver) return;
    const socket = connect(server.port, "127.0.0.1", () => {
      opened += 1;
    });
    open.add(socket);
    socket.on("error", () => undefined).resume();
    socket.on("close", () => {
      open.delete(socket);
      crowd();
    });
  };
  for (let at = 0; at < 300; at += 1) crowd();
  await until("all of them", () => opened >= 300);
  // A handshake takes longer than a plain question, and some newcomers may be faster: a scraper tries again.
  await until("an answer", async () => (await server.ask("/metrics", "prometheus-token")).code === 200);
  isOver = true;
  for (const socket of open) socket.destroy();
  await until("the crowd to be gone", () => open.size === 0);
});

test("access is by token unless it is said otherwise", () => {
  assert.deepEqual(["Token", "Loopback", "", undefined, "none"].map(parseMetricsAccess), [
    "Token",
    "Loopback",
    "Token",
    "Token",
    undefined,
  ]);
});
