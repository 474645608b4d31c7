import assert from "node:assert/strict";
import { request } from "node:https";
import { test } from "node:test";
import { systemClock } from "#common/clock.ts";
import { silentLogger } from "#common/log.ts";
import { createMetrics } from "#common/metrics.ts";
import type { MetricsAccess } from "#common/metrics-server.ts";
import { systemRandom } from "#common/random.ts";
import { until } from "#test/until.ts";
import { serveSpeaker } from "./http.ts";

const metrics = createMetrics({ role: "speaker", version: "1" });

async function serving(address: string | undefined, access: MetricsAccess = "Token") {
  const end = new AbortController();
  const server = await serveSpeaker(
    {
      port: 0,
      address,
      access,
      clock: systemClock,
      random: systemRandom,
      log: silentLogger,
      metrics,
      namespace: "genkan-system",
      certificateDirectory: "/nonexistent",
      // Nobody is asked without a token.
      connection: { server: new URL("https://127.0.0.1:1"), credentials: () => ({}) },
      unready: () => "not yet",
      plan: () => ({}),
    },
    end.signal,
  );
  return {
    port: server.port,
    [Symbol.asyncDispose]: async () => {
      end.abort();
      await server.close();
    },
  };
}

const PATHS = ["/healthz", "/readyz", "/debug/plan", "/metrics"];
const codesOf = (host: string, port: number): Promise<number[]> =>
  Promise.all(
    PATHS.map(async (path) => {
      const headers = { connection: "close" };
      return (await fetch(`http://${host}:${port}${path}`, { headers })).status;
    }),
  );

function secureCodesOf(host: string, port: number): Promise<unknown[]> {
  const ask = (path: string) =>
    new Promise((resolve, reject) => {
      const options = { host, port, path, agent: false, rejectUnauthorized: false };
      request(options, (response) => resolve(response.resume().statusCode))
        .on("error", reject)
        .end();
    });
  return Promise.all(PATHS.map(ask));
}

test("health and the plan are on loopback alone, metrics at the node's address alone, for who has a token", async () => {
  await using server = await serving("127.0.0.2");
  assert.deepEqual(await codesOf("127.0.0.1", server.port), [200, 503, 200, 404]);
  assert.deepEqual(
    await until("metrics", () => secureCodesOf("127.0.0.2", server.port)),
    [404, 404, 404, 401],
  );
  await assert.rejects(codesOf("127.0.0.2", server.port), /fetch failed/);
  // Another address of the node, as those of its Services are.
  await assert.rejects(codesOf("127.0.0.3", server.port), /fetch failed/);
});

test("metrics are on loopback alone, without a token, where that is asked for", async () => {
  await using server = await serving("127.0.0.2", "Loopback");
  assert.deepEqual(await codesOf("127.0.0.1", server.port), [200, 503, 200, 200]);
  await assert.rejects(secureCodesOf("127.0.0.2", server.port), /ECONNREFUSED/);
});

test("a node's address that is not there takes metrics away, and no probe", async () => {
  for (const address of ["192.0.2.1", undefined]) {
    await using server = await serving(address);
    assert.deepEqual(await codesOf("127.0.0.1", server.port), [200, 503, 200, 404]);
  }
});
