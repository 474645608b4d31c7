import assert from "node:assert/strict";
import { test } from "node:test";
import { createKubeClient } from "#common/kube/client.ts";
import { EventRecorder } from "#common/kube/events.ts";
import { events } from "#common/kube/resource.ts";
import { silentLogger } from "#common/log.ts";
import { FakeApiServer } from "#test/fakes/api-server.ts";
import { FakeClock, settle } from "#test/fakes/clock.ts";
import { fakeRandom } from "#test/fakes/random.ts";
import { until } from "#test/until.ts";

const target = { apiVersion: "v1", kind: "Service", metadata: { name: "web", namespace: "shop", uid: "u" } };
const named = (name: string, namespace = "shop") => ({ ...target, metadata: { name, namespace } });
const content = { type: "Warning", reason: "AllocationFailed", message: "pool web is exhausted" } as const;

async function recording() {
  const server = await FakeApiServer.start();
  const clock = new FakeClock();
  const client = createKubeClient(server.connection);
  const recorder = new EventRecorder({
    client,
    clock,
    random: fakeRandom(),
    log: silentLogger,
    component: "genkan-controller",
    instance: "pod-1",
  });
  const stored = async () => (await client.list(events)).items;
  return {
    server,
    clock,
    recorder,
    stored,
    [Symbol.asyncDispose]: async () => {
      client.close();
      await server[Symbol.asyncDispose]();
    },
  };
}

test("an event names the object, the reason and who says it", async () => {
  await using world = await recording();
  world.recorder.emit(target, content);
  await world.recorder.flush();
  const [event] = await world.stored();
  assert.equal(event?.metadata.namespace, "shop");
  assert.deepEqual(event?.involvedObject, {
    apiVersion: "v1",
    kind: "Service",
    name: "web",
    namespace: "shop",
    uid: "u",
  });
  assert.equal(event?.reason, "AllocationFailed");
  assert.equal(event?.source?.component, "genkan-controller");
  assert.equal(event?.firstTimestamp, "2026-01-01T00:00:00Z");
});

test("equal ones become one with a count; after a while, and after the server forgot, a new one", async () => {
  await using world = await recording();
  for (let count = 0; count < 5; count += 1) world.recorder.emit(target, content);
  await world.recorder.flush();
  assert.deepEqual(
    (await world.stored()).map(({ count }) => count),
    [5],
  );
  const [first] = await world.stored();
  world.server.remove(events, `shop/${first?.metadata.name}`);
  world.recorder.emit(target, content);
  await world.recorder.flush();
  assert.deepEqual(
    (await world.stored()).map(({ count }) => count),
    [6],
  );
  await world.clock.advance(600_000);
  world.recorder.emit(target, content);
  await world.recorder.flush();
  assert.deepEqual((await world.stored()).map(({ count }) => count).sort(), [1, 6]);
  assert.equal(world.recorder.dropped, 0);
});

test("a refusing server costs the event, and nobody else anything", async () => {
  await using world = await recording();
  world.server.inject({ type: "status", code: 403 });
  world.recorder.emit(target, content);
  world.recorder.emit(target, { ...content, message: "another" });
  await world.recorder.flush();
  assert.equal(world.recorder.dropped, 1);
  assert.deepEqual(
    (await world.stored()).map(({ message }) => message),
    ["another"],
  );
});

test("the queue is bounded", async () => {
  await using world = await recording();
  world.server.inject({ type: "silence" });
  for (let count = 0; count < 9_000; count += 1) world.recorder.emit(named(`web${count}`), content);
  assert.ok(world.recorder.dropped >= 800, String(world.recorder.dropped));
});

test("many at once are told slowly: the writes that Services wait for go first", async () => {
  await using world = await recording();
  for (let count = 0; count < 150; count += 1) world.recorder.emit(named(`web${count}`), content);
  const told = async (count: number): Promise<void> => {
    await until(`${count} events`, async () => (await world.stored()).length >= count);
    // The next one waits for the clock.
    await settle();
    assert.equal((await world.stored()).length, count);
  };
  await told(100);
  for (let more = 1; more <= 20; more += 1) {
    await world.clock.advance(50);
    await told(100 + more);
  }
});

test("what is about an object without a namespace goes to default", async () => {
  await using world = await recording();
  world.recorder.emit({ apiVersion: "v1", kind: "Node", metadata: { name: "node1" } }, content);
  await world.recorder.flush();
  assert.equal((await world.stored())[0]?.metadata.namespace, "default");
});

test("one object's hundreds are merged, delay no other's first, and nothing that was said last is lost", async () => {
  await using world = await recording();
  const { recorder, clock } = world;
  for (let count = 0; count < 500; count += 1)
    recorder.emit(target, { ...content, message: `message ${count}` });
  recorder.emit(named("quiet"), content);
  recorder.emit(named("elsewhere", "other"), content);
  await recorder.flush();
  const told = await world.stored();
  const ofLoud = told.filter(({ involvedObject }) => involvedObject.name === "web");
  assert.ok(ofLoud.length <= 9, `${ofLoud.length} events of one object`);
  assert.equal(
    ofLoud.reduce((sum, { count = 0 }) => sum + count, 0),
    500,
  );
  assert.ok(ofLoud.some(({ message }) => message === "message 499"));
  const order = world.server.requests
    .filter(({ method }) => method === "POST")
    .map(({ body }) => (body as { involvedObject: { name: string } }).involvedObject.name);
  assert.deepEqual(order.slice(0, 3), ["web", "quiet", "elsewhere"]);
  // A storm that goes on is told now and then, with how much was left out.
  for (let minute = 0; minute < 10; minute += 1) {
    for (let count = 0; count < 100; count += 1)
      recorder.emit(target, { ...content, message: `minute ${minute}, ${count}` });
    await recorder.flush();
    await clock.advance(60_000);
  }
  const later = (await world.stored()).filter(({ involvedObject }) => involvedObject.name === "web");
  assert.ok(later.length <= 60, `${later.length} events in ten minutes of storm`);
  assert.ok(later.some(({ message = "" }) => /and \d+ more before/.test(message)));
  assert.equal(recorder.dropped, 0);
});

test("what is said while its event is being written is counted in the end", async () => {
  await using world = await recording();
  world.recorder.emit(target, content);
  await Promise.resolve();
  for (let count = 0; count < 3; count += 1) world.recorder.emit(target, content);
  await world.recorder.flush();
  assert.deepEqual(
    (await world.stored()).map(({ count }) => count),
    [4],
  );
});
