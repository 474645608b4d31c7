import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLogger } from "#common/log.ts";
import { EventQueue } from "#controller/status/event-queue.ts";
import { FakeClock, settle } from "#test/fakes/clock.ts";

const target = { apiVersion: "v1", kind: "Service", metadata: { name: "s" } };
const service = (name: string, namespace = "shop") => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: { name, namespace },
});

test("a burst reaches the recorder whole, in order, and never more at once than its queue takes", async () => {
  const seen: string[] = [];
  let inQueue = 0;
  let most = 0;
  const recorder = {
    emit: (_target: unknown, { message }: { message: string }): void => {
      seen.push(message);
      inQueue += 1;
      most = Math.max(most, inQueue);
    },
    flush: async (): Promise<void> => {
      inQueue = 0;
    },
  };
  const clock = new FakeClock();
  const queue = new EventQueue(recorder, {
    clock,
    log: silentLogger,
    writes: () => 0,
  });
  const emit = (at: number): void =>
    queue.emit(service(`s${at}`), { type: "Normal", reason: "IPAllocated", message: `${at}` });
  for (let at = 0; at < 2_000; at += 1) emit(at);
  await clock.advance(60_000);
  emit(2_000);
  await clock.advance(250);
  assert.deepEqual(
    seen,
    Array.from({ length: 2_001 }, (_, at) => `${at}`),
  );
  assert.ok(most <= 512, `${most} at once`);
  assert.equal(queue.dropped, 0);
});

test("in a burst of writes nothing is told, but not for ever, and at the end at once", async () => {
  const clock = new FakeClock();
  const seen: string[] = [];
  let perSecond = 100;
  const recorder = {
    emit: (_target: unknown, { message }: { message: string }): void => void seen.push(message),
    flush: async (): Promise<void> => undefined,
  };
  const writes = (): number => (clock.now() / 1_000) * perSecond;
  const queue = new EventQueue(recorder, { clock, log: silentLogger, writes });
  const emit = (message: string): void =>
    queue.emit(target, { type: "Normal", reason: "IPAllocated", message });
  emit("waits");
  await clock.advance(5_000);
  assert.deepEqual(seen, []);
  perSecond = 12;
  await clock.advance(500);
  assert.deepEqual(seen, ["waits"]);
  perSecond = 100;
  emit("waits for long");
  await clock.advance(29_500);
  assert.equal(seen.length, 1);
  await clock.advance(1_000);
  assert.equal(seen.length, 2);
  emit("is last");
  await settle();
  const flushed = queue.flush();
  await clock.advance(250);
  await flushed;
  assert.deepEqual(seen.at(-1), "is last");
});

test("one object's thousands are merged before the queue, and delay no other's first", async () => {
  const clock = new FakeClock();
  const seen: (readonly [string, string, number])[] = [];
  const recorder = {
    emit: ({ metadata }: { metadata: { name: string } }, { message }: { message: string }, times = 1): void =>
      void seen.push([metadata.name, message, times]),
    flush: async (): Promise<void> => undefined,
  };
  const queue = new EventQueue(recorder, { clock, log: silentLogger, writes: () => 0 });
  for (let at = 0; at < 10_000; at += 1) {
    queue.emit(service("loud"), { type: "Normal", reason: "IPAllocated", message: `${at}` });
  }
  queue.emit(service("quiet"), { type: "Normal", reason: "IPAllocated", message: "first" });
  queue.emit(service("elsewhere", "other"), {
    type: "Normal",
    reason: "IPAllocated",
    message: "first",
  });
  await clock.advance(60_000);
  assert.deepEqual(
    seen.slice(0, 3).map(([name]) => name),
    ["loud", "elsewhere", "quiet"],
  );
  const loud = seen.filter(([name]) => name === "loud");
  assert.equal(loud.length, 8);
  assert.equal(
    loud.reduce((sum, [, , times]) => sum + times, 0),
    10_000,
  );
  assert.equal(loud.at(-1)?.[1], "9999", "what was said last is told");
  assert.equal(queue.dropped, 0);
});
