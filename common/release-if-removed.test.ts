import assert from "node:assert/strict";
import { test } from "node:test";
import { CLEANUP_FINALIZER, LOADBALANCER_NAME } from "#api/names.ts";
import { createKubeClient } from "#common/kube/client.ts";
import { loadBalancers, namespaces, services } from "#common/kube/resource.ts";
import { silentLogger } from "#common/log.ts";
import { releaseIfRemoved } from "#common/release-if-removed.ts";
import { FakeApiServer } from "#test/fakes/api-server.ts";
import { FakeClock } from "#test/fakes/clock.ts";

const namespace = "genkan-system";
const DELETED = { deletionTimestamp: "2026-01-01T00:00:00Z" };
type Prepare = (server: FakeApiServer) => void;

const balancer =
  (more: object = {}): Prepare =>
  (server) =>
    void server.put(loadBalancers, {
      metadata: { name: LOADBALANCER_NAME, namespace, ...more },
      spec: {},
    } as never);
const home =
  (more: object = {}): Prepare =>
  (server) =>
    void server.put(namespaces, { metadata: { name: namespace, ...more } } as never);

const REFUSED: Prepare = (server) =>
  server.inject({ type: "status", code: 403 }, ({ path }) => /loadbalancers/.test(path), 9);

const CASES: readonly (readonly [string, readonly Prepare[], boolean])[] = [
  ["goes on, as in a rolling update", [balancer(), home()], false],
  ["has no LoadBalancer any more", [home()], true],
  ["has a LoadBalancer that is being deleted", [balancer(DELETED), home()], true],
  ["is in a namespace that is being deleted", [balancer(), home(DELETED)], true],
  [
    "has lost its kinds",
    [
      home(),
      (server) => server.inject({ type: "status", code: 404 }, ({ path }) => /loadbalancers/.test(path), 9),
    ],
    true,
  ],
  ["may not look", [home(), REFUSED], false],
  ["may not look any more in a namespace that is being deleted", [home(DELETED), REFUSED], true],
];

for (const [what, prepare, isReleased] of CASES) {
  test(`a controller that ends where Genkan ${what} ${isReleased ? "lets Services go" : "leaves them"}`, async () => {
    await using server = await FakeApiServer.start();
    const metadata = { name: "web", namespace: "default", finalizers: [CLEANUP_FINALIZER] };
    server.put(services, { metadata, spec: { type: "LoadBalancer" } } as never);
    for (const step of prepare) step(server);
    const client = createKubeClient(server.connection);
    await releaseIfRemoved({ client, clock: new FakeClock(), log: silentLogger, namespace });
    const left = server.get(services, "default/web")?.metadata.finalizers ?? [];
    assert.deepEqual(left, isReleased ? [] : [CLEANUP_FINALIZER]);
    client.close();
  });
}
