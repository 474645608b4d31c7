import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeClient, PatchRequest } from "#common/kube/client.ts";
import { KubeError } from "#common/kube/error.ts";
import type { Service } from "#common/kube/resource.ts";
import { silentLogger } from "#common/log.ts";
import type { ServiceRecord } from "#controller/allocation/service.ts";
import type { StatusPlan } from "#controller/status/plan.ts";
import { ServiceWriter } from "#controller/status/writer.ts";
import { record } from "#controller/testing/records.ts";
import { FakeClock } from "#test/fakes/clock.ts";
import { fixedRandom } from "#test/fakes/random.ts";

interface Write {
  readonly request: PatchRequest;
  readonly succeed: () => void;
  readonly fail: (code: number) => void;
}

/** A server that answers when the test says so. What is wanted of a Service is its label `want`. */
function setUp(concurrency = 2) {
  const clock = new FakeClock();
  const observed = new Map<string, ServiceRecord>();
  const wanted = new Map<string, string>();
  const writes: Write[] = [];
  const told: string[] = [];
  const patch = (_resource: unknown, request: PatchRequest): Promise<Service> => {
    const { promise, resolve, reject } = Promise.withResolvers<Service>();
    const text = (request.body as { annotations: string }).annotations;
    writes.push({
      request,
      succeed: () => resolve(raw(request.name, text)),
      fail: (code) => reject(new KubeError("patch", { code, status: "Failure", reason: "R", message: "m" })),
    });
    return promise;
  };
  const writer = new ServiceWriter({
    client: { patch } as unknown as KubeClient,
    clock,
    random: fixedRandom(),
    log: silentLogger,
    concurrency,
    decisions: {
      observe: (key) => observed.get(key),
      decide: (service) => {
        const want = wanted.get(service.key) ?? "";
        const plan = { patch: { annotations: want } } as unknown as StatusPlan;
        return { plan: service.labels.has === want ? undefined : plan, againMs: undefined };
      },
      written: (service) => told.push(service.key),
    },
  });
  const stop = new AbortController();
  const ended = writer.run(stop.signal);
  const want = async (name: string, text: string): Promise<void> => {
    const key = `default/${name}`;
    if (!observed.has(key)) observed.set(key, record(name));
    wanted.set(key, text);
    writer.enqueue(key);
    await clock.advance(0);
  };
  const finish = (): Promise<void> => {
    stop.abort();
    return ended;
  };
  return { clock, observed, writes, told, writer, want, stop: finish };
}

function raw(name: string, has: string): Service {
  return {
    metadata: { name, namespace: "default", uid: "u", resourceVersion: "2", labels: { has } },
    spec: { type: "LoadBalancer" },
  } as unknown as Service;
}

test("changes during a write become one more write, and a write under way is not doubled", async () => {
  const { writes, want, told, clock, stop } = setUp();
  await want("a", "1");
  await want("a", "2");
  await want("a", "3");
  assert.equal(writes.length, 1);
  writes[0]?.succeed();
  await clock.advance(0);
  assert.deepEqual(
    writes.map(({ request }) => (request.body as { annotations: string }).annotations),
    ["1", "3"],
  );
  writes[1]?.succeed();
  await clock.advance(0);
  assert.deepEqual(told, ["default/a", "default/a"]);
  await stop();
});

test("while the watch still shows the old version, what was written is not written again", async () => {
  const { writes, want, observed, clock, stop, writer } = setUp();
  await want("a", "1");
  writes[0]?.succeed();
  await clock.advance(0);
  await want("a", "1");
  assert.equal(writes.length, 1);
  // Somebody undid it: the watch shows another version, and that one counts.
  observed.set("default/a", record("a", { resourceVersion: "3", labels: { has: "0" } }));
  writer.enqueue("default/a");
  await clock.advance(0);
  assert.equal(writes.length, 2);
  writes[1]?.succeed();
  await stop();
});

test("no more writes at once than allowed", async () => {
  const { writes, want, clock, stop } = setUp(2);
  for (const name of ["a", "b", "c", "d"]) await want(name, "1");
  assert.equal(writes.length, 2);
  writes[0]?.succeed();
  await clock.advance(0);
  assert.equal(writes.length, 3);
  for (let at = 1; at < 4; at += 1) {
    writes[at]?.succeed();
    await clock.advance(0);
  }
  assert.equal(writes.length, 4);
  await stop();
});

test("a conflict and a failing server are tried again, later each time; what is gone is not", async () => {
  const { writes, want, clock, writer, stop } = setUp();
  await want("a", "1");
  writes[0]?.fail(409);
  await clock.advance(0);
  assert.equal(writes.length, 1);
  await clock.advance(50);
  assert.equal(writes.length, 2);
  writes[1]?.fail(500);
  await clock.advance(60);
  assert.equal(writes.length, 2, "the second wait is longer");
  await clock.advance(100);
  assert.equal(writes.length, 3);
  writes[2]?.fail(404);
  await clock.advance(60_000);
  assert.equal(writes.length, 3);
  assert.equal(writer.pending, 0);
  assert.equal(writer.conflicts, 1);
  await stop();
});

test("nothing is written after the end, and the end waits for what is under way", async () => {
  const { writes, want, clock, writer, stop } = setUp(1);
  await want("a", "1");
  await want("b", "1");
  let hasEnded = false;
  const ended = stop().then(() => {
    hasEnded = true;
  });
  await clock.advance(0);
  assert.equal(hasEnded, false);
  assert.equal(writes[0]?.request.signal?.aborted, true);
  writes[0]?.succeed();
  await ended;
  writer.enqueue("default/b");
  await clock.advance(0);
  assert.equal(writes.length, 1);
});

test("what changes there and back during a write is what is written last", async () => {
  const { writes, want, clock, stop } = setUp();
  const wrote = (): string[] =>
    writes.map(({ request }) => (request.body as { annotations: string }).annotations);
  await want("a", "1");
  writes[0]?.succeed();
  await clock.advance(0);
  await want("a", "2");
  await want("a", "1");
  assert.deepEqual(wrote(), ["1", "2"]);
  writes[1]?.succeed();
  await clock.advance(0);
  assert.deepEqual(wrote(), ["1", "2", "1"]);
  writes[2]?.succeed();
  await stop();
});
