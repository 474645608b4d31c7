import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLogger } from "#common/log.ts";
import { createMetrics } from "#common/metrics.ts";
import { serveSpeaker } from "./http.ts";

const metrics = createMetrics({ role: "speaker", version: "1" });
const serving = (address: string | undefined) =>
  serveSpeaker({ port: 0, address, log: silentLogger, metrics, unready: () => "not yet", plan: () => ({}) });
const codeOf = async (host: string, port: number, path: string): Promise<number> =>
  (await fetch(`http://${host}:${port}${path}`, { headers: { connection: "close" } })).status;

test("health and the plan are on loopback alone, metrics at the node's address too", async () => {
  const server = await serving("127.0.0.2");
  const codes = async (host: string) =>
    await Promise.all(
      ["/healthz", "/readyz", "/debug/plan", "/metrics"].map((path) => codeOf(host, server.port, path)),
    );
  assert.deepEqual(await codes("127.0.0.1"), [200, 503, 200, 200]);
  assert.deepEqual(await codes("127.0.0.2"), [404, 404, 404, 200]);
  // Another address of the node, as those of its Services are.
  await assert.rejects(codes("127.0.0.3"), /fetch failed/);
  await server.close();
});

test("a node's address that is not there takes metrics away, and no probe", async () => {
  for (const address of ["192.0.2.1", undefined]) {
    const server = await serving(address);
    assert.equal(await codeOf("127.0.0.1", server.port, "/healthz"), 200);
    await server.close();
  }
});
