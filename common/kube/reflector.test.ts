import assert from "node:assert/strict";
import { test } from "node:test";
import { createKubeClient } from "#common/kube/client.ts";
import { Reflector, type ReflectorOptions } from "#common/kube/reflector.ts";
import { type ConfigMap, configMaps } from "#common/kube/resource.ts";
import { Store } from "#common/kube/store.ts";
import { silentLogger } from "#common/log.ts";
import { FakeApiServer } from "#test/fakes/api-server.ts";
import { FakeClock } from "#test/fakes/clock.ts";
import { fixedRandom } from "#test/fakes/random.ts";
import { until } from "#test/until.ts";

type Options = Partial<ReflectorOptions<ConfigMap, unknown>>;

async function start(options: Options = {}, prepare: (server: FakeApiServer) => void = () => undefined) {
  const server = await FakeApiServer.start();
  prepare(server);
  const clock = new FakeClock();
  const store = new Store<unknown>();
  const changes: string[] = [];
  store.subscribe((key) => changes.push(store.has(key) ? `+${key}` : `-${key}`));
  const client = createKubeClient(server.connection, { clock });
  const reflector = new Reflector<ConfigMap, unknown>({
    client,
    resource: configMaps,
    store,
    clock,
    random: fixedRandom(0.5),
    log: silentLogger,
    ...options,
  });
  const stop = new AbortController();
  const end = reflector.start(stop.signal);
  return {
    server,
    clock,
    store,
    changes,
    reflector,
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await end;
      client.close();
      await server[Symbol.asyncDispose]();
    },
  };
}

const object = (name: string, value = "1") => ({ metadata: { name, namespace: "n" }, data: { value } });
const standing = (world: { server: FakeApiServer }) =>
  until("the watch to stand", () => world.server.watches === 1);
const listRequests = (server: FakeApiServer) => server.requests.filter((request) => !request.isWatch);

test("lists in pages and never asks for more", async () => {
  await using world = await start({ pageSize: 2 }, (server) => {
    for (const name of ["a", "b", "c", "d", "e"]) server.put(configMaps, object(name));
  });
  await world.reflector.synced();
  assert.deepEqual(world.store.keys(), ["n/a", "n/b", "n/c", "n/d", "n/e"]);
  assert.deepEqual(
    listRequests(world.server).map((request) => request.query.get("limit")),
    ["2", "2", "2"],
  );
});

test("hasSynced only after the last page", async () => {
  await using world = await start({ pageSize: 1 }, (server) => {
    server.put(configMaps, object("a"));
    server.put(configMaps, object("b"));
    server.inject({ type: "status", code: 500 }, (request) => request.query.has("continue"));
  });
  await until("the first error", () => world.reflector.counts().errors === 1);
  assert.equal(world.reflector.hasSynced(), false);
  await world.clock.advance(1_000);
  await world.reflector.synced();
  assert.equal(world.reflector.hasSynced(), true);
});

test("waits longer after every failure, up to the cap, and starts again at the base after a good watch", async () => {
  const broken = { type: "status", code: 503 } as const;
  await using world = await start({ random: fixedRandom(0) }, (server) => {
    for (let count = 0; count < 8; count += 1) server.inject(broken);
  });
  const waits: number[] = [];
  for (let failures = 1; failures <= 8; failures += 1) {
    await until(
      `failure ${failures}`,
      () => world.reflector.counts().errors === failures && world.clock.pending === 1,
    );
    waits.push(world.clock.nextIn ?? -1);
    await world.clock.advance(waits.at(-1) ?? 0);
  }
  assert.deepEqual(waits, [100, 200, 400, 800, 1_600, 2_500, 2_500, 2_500]);
  await standing(world);
  await world.clock.advance(5_000);
  world.server.inject(broken);
  world.server.endWatches();
  await until("another failure", () => world.reflector.counts().errors === 9 && world.clock.pending === 1);
  assert.equal(world.clock.nextIn, 100);
});

test("a reset watch resumes from the last version without a list", async () => {
  await using world = await start();
  await standing(world);
  world.server.put(configMaps, object("a"));
  await until("a", () => world.store.has("n/a"));
  world.server.resetConnections();
  await until("the wait", () => world.reflector.counts().errors === 1 && world.clock.pending === 1);
  world.server.put(configMaps, object("b"));
  await world.clock.advance(5_000);
  await until("b", () => world.store.has("n/b"));
  assert.equal(world.reflector.counts().lists, 1);
});

test("a bookmark moves the version on, so that a compaction does not force a list", async () => {
  await using world = await start();
  await standing(world);
  world.server.objects.compact();
  world.server.bookmark();
  const version = String(world.server.objects.version);
  await world.clock.advance(5_000);
  world.server.endWatches();
  await until("the next watch", () => world.server.requests.at(-1)?.query.get("resourceVersion") === version);
  await standing(world);
  assert.equal(world.reflector.counts().lists, 1);
});

test("after a 410 only the differences reach the store", async () => {
  await using world = await start({}, (server) => {
    for (const name of ["same", "changed", "removed"]) server.put(configMaps, object(name));
  });
  await standing(world);
  world.changes.length = 0;
  world.server.resetConnections();
  await until("the wait", () => world.reflector.counts().errors === 1 && world.clock.pending === 1);
  world.server.put(configMaps, object("changed", "2"));
  world.server.remove(configMaps, "n/removed");
  world.server.put(configMaps, object("added"));
  world.server.objects.compact();
  await world.clock.advance(5_000);
  await until("the 410", () => world.reflector.counts().errors === 2 && world.clock.pending === 1);
  await world.clock.advance(5_000);
  await until("a second list", () => world.reflector.counts().lists === 2 && world.server.watches === 1);
  assert.deepEqual(world.changes.sort(), ["+n/added", "+n/changed", "-n/removed"]);
});

test("a silent watch is dropped after deadAfterMs; bookmarks keep it", async () => {
  await using world = await start({ deadAfterMs: 1_000 });
  await standing(world);
  for (let count = 0; count < 3; count += 1) {
    await world.clock.advance(900);
    world.server.bookmark();
    await until("the contact", () => world.reflector.lastContact() === world.clock.now());
  }
  assert.equal(world.reflector.counts().watches, 1);
  await world.clock.advance(1_000);
  await until("the wait", () => world.reflector.counts().errors === 1 && world.clock.pending === 1);
  await world.clock.advance(world.clock.nextIn ?? 0);
  await until("a new watch", () => world.reflector.counts().watches === 2 && world.server.watches === 1);
});

test("a projection that did not change tells nobody; undefined stores nothing", async () => {
  const project = (raw: ConfigMap): unknown =>
    raw.data?.hidden === undefined ? { value: raw.data?.value } : undefined;
  await using world = await start({ project });
  await standing(world);
  const managed = { name: "a", namespace: "n" };
  world.server.put(configMaps, { metadata: managed, data: { value: "1" } });
  world.server.put(configMaps, { metadata: managed, data: { value: "1", other: "2" } });
  world.server.put(configMaps, { metadata: managed, data: { value: "2" } });
  world.server.put(configMaps, { metadata: managed, data: { hidden: "1" } });
  world.server.put(configMaps, object("last"));
  await until("the last", () => world.store.has("n/last"));
  assert.deepEqual(world.changes, ["+n/a", "+n/a", "-n/a", "+n/last"]);
});

test("managedFields are dropped from what is stored whole", async () => {
  await using world = await start({});
  await standing(world);
  world.server.put(configMaps, {
    metadata: { name: "a", namespace: "n", managedFields: [{ manager: "x" }] },
  });
  const stored = await until("the object", () => world.store.get("n/a") as ConfigMap | undefined);
  assert.equal(stored.metadata.managedFields, undefined);
});

test("each watch asks for bookmarks and ends after 5 to 10 minutes, by chance", async () => {
  await using world = await start({ random: fixedRandom(0.25) });
  await standing(world);
  const { query } = world.server.requests.at(-1) ?? { query: new URLSearchParams() };
  assert.equal(query.get("timeoutSeconds"), "375");
  assert.equal(query.get("allowWatchBookmarks"), "true");
});
