import assert from "node:assert/strict";
import { test } from "node:test";
import { CLEANUP_FINALIZER } from "#api/names.ts";
import { createKubeClient } from "#common/kube/client.ts";
import { services } from "#common/kube/resource.ts";
import { silentLogger } from "#common/log.ts";
import { releaseServices } from "#common/release-services.ts";
import { FakeApiServer, type SeenRequest } from "#test/fakes/api-server.ts";

const put = (server: FakeApiServer, name: string, finalizers: readonly string[]): unknown =>
  server.put(services, {
    metadata: { name, namespace: "default", finalizers },
    spec: { type: "LoadBalancer" },
  } as never);

const finalizersOf = async (server: FakeApiServer): Promise<Record<string, readonly string[]>> => {
  const client = createKubeClient(server.connection);
  const { items } = await client.list(services);
  client.close();
  return Object.fromEntries(items.map(({ metadata }) => [metadata.name, metadata.finalizers ?? []]));
};

test("ours goes from all Services, over several pages, and those of others stay", async () => {
  await using server = await FakeApiServer.start();
  for (let at = 0; at < 600; at += 1)
    put(server, `s${at}`, at % 2 === 0 ? ["x/y", CLEANUP_FINALIZER] : ["x/y"]);
  const client = createKubeClient(server.connection);
  assert.equal(await releaseServices({ client, log: silentLogger }), 300);
  const left = new Set(Object.values(await finalizersOf(server)).map(String));
  assert.deepEqual([...left], ["x/y"]);
  assert.equal(server.requests.filter(({ method }) => method === "PATCH").length, 300);
  assert.equal(await releaseServices({ client, log: silentLogger }), 0, "the second time nothing is written");
  client.close();
});

test("a Service that somebody else changed meanwhile is read and written again; one that cannot be written is left", async () => {
  await using server = await FakeApiServer.start();
  for (const name of ["changed", "refused", "plain"]) put(server, name, [CLEANUP_FINALIZER]);
  const patchOf =
    (name: string) =>
    ({ method, path }: SeenRequest): boolean =>
      method === "PATCH" && path.includes(`/${name}/`);
  server.inject({ type: "status", code: 403, reason: "Forbidden" }, patchOf("refused"), 10);
  server.inject({ type: "status", code: 409, reason: "Conflict" }, patchOf("changed"));
  const warned: unknown[] = [];
  const log = { ...silentLogger, warn: (_text: string, more?: object) => void warned.push(more) };
  const client = createKubeClient(server.connection);
  assert.equal(await releaseServices({ client, log }), 2);
  assert.deepEqual(await finalizersOf(server), { changed: [], plain: [], refused: [CLEANUP_FINALIZER] });
  assert.match(JSON.stringify(warned), /default\/refused/);
  client.close();
});
