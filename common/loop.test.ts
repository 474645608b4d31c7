import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import { silentLogger } from "#common/log.ts";
import { createLoop, type LoopOptions } from "#common/loop.ts";
import { FakeClock, settle } from "#test/fakes/clock.ts";
import { fixedRandom } from "#test/fakes/random.ts";

function start(
  pass: (signal: AbortSignal, clock: FakeClock) => ReturnType<LoopOptions["pass"]>,
  options: Partial<LoopOptions> = {},
) {
  const clock = new FakeClock();
  const stop = new AbortController();
  const loop = createLoop({
    name: "test",
    pass: (signal) => pass(signal, clock),
    clock,
    random: fixedRandom(0.5),
    log: silentLogger,
    ...options,
  });
  const end = loop.run(stop.signal);
  return {
    clock,
    loop,
    stop: async () => {
      stop.abort();
      await end;
    },
  };
}

test("the first pass comes by itself, the next by a trigger", async () => {
  const { clock, loop, stop } = start(async () => undefined);
  await clock.advance(1_000_000);
  assert.equal(loop.passes, 1);
  loop.trigger();
  await settle();
  assert.equal(loop.passes, 2);
  await stop();
});

test("triggers during a pass become one more pass, and passes never overlap", async () => {
  let running = 0;
  let most = 0;
  let go = Promise.withResolvers<void>();
  const { loop, stop } = start(async () => {
    running += 1;
    most = Math.max(most, running);
    await go.promise;
    running -= 1;
  });
  for (let count = 0; count < 10; count += 1) loop.trigger();
  await settle();
  const first = go;
  go = Promise.withResolvers();
  first.resolve();
  await settle();
  assert.equal(loop.passes, 1);
  go.resolve();
  await settle();
  assert.equal(loop.passes, 2);
  assert.equal(most, 1);
  await stop();
});

test("a pass that throws is repeated later and later, triggers or not, and success resets it", async () => {
  const at: number[] = [];
  let isBroken = true;
  const { clock, loop, stop } = start(
    async (_signal, clock) => {
      at.push(clock.now());
      if (isBroken) throw new Error("broken");
    },
    { backoffMs: { baseMs: 100, capMs: 400 }, random: fixedRandom(0) },
  );
  for (let count = 0; count < 9; count += 1) {
    await clock.advance(50);
    loop.trigger();
  }
  assert.deepEqual(at, [0, 50, 150, 350]);
  assert.equal(loop.failures, 4);
  assert.match(String(loop.lastError), /broken/);
  isBroken = false;
  await clock.advance(200);
  assert.equal(loop.lastError, undefined);
  isBroken = true;
  loop.trigger();
  await settle();
  const failedAt = clock.now();
  await clock.advance(50);
  assert.equal(at.at(-1), failedAt + 50, "the wait starts again from the base");
  await stop();
});

test("minIntervalMs keeps passes apart, retryAfterMs and resyncMs bring them back", async () => {
  const at: number[] = [];
  let retryAfterMs: number | undefined;
  const { clock, loop, stop } = start(
    async (_signal, clock) => {
      at.push(clock.now());
      return retryAfterMs === undefined ? undefined : { retryAfterMs };
    },
    { minIntervalMs: 100, resyncMs: 10_000 },
  );
  await settle();
  loop.trigger();
  await clock.advance(99);
  assert.deepEqual(at, [0]);
  await clock.advance(1);
  assert.deepEqual(at, [0, 100]);
  await clock.advance(10_000);
  assert.deepEqual(at, [0, 100, 10_100]);
  retryAfterMs = 500;
  loop.trigger();
  await clock.advance(100);
  await clock.advance(500);
  assert.deepEqual(at.slice(3), [10_200, 10_700]);
  await stop();
});

test("an urgent trigger cuts the wait short, in a pause and in a pass, and is urgent once", async () => {
  const at: number[] = [];
  const seen: boolean[] = [];
  let passMs = 0;
  const { clock, loop, stop } = start(
    async (_signal, time) => {
      at.push(time.now());
      await time.sleep(passMs);
      seen.push(loop.isDue);
      await time.sleep(passMs);
    },
    { minIntervalMs: 100, urgentIntervalMs: 20 },
  );
  await clock.advance(10);
  loop.trigger();
  await clock.advance(30);
  assert.deepEqual(at, [0], "the pause is not over");
  loop.trigger(true);
  await clock.advance(0);
  assert.deepEqual(at, [0, 40]);
  loop.trigger(true);
  await clock.advance(19);
  assert.deepEqual(at, [0, 40], "nor that one");
  await clock.advance(1);
  assert.deepEqual(at, [0, 40, 60]);
  loop.trigger();
  await clock.advance(99);
  assert.equal(at.length, 3, "the next one is as any other");
  passMs = 30;
  seen.length = 0;
  await clock.advance(1);
  loop.trigger(true);
  await clock.advance(30);
  assert.deepEqual([at, seen], [[0, 40, 60, 160], [true]]);
  await clock.advance(30);
  assert.equal(at.at(-1), 220);
  await clock.advance(60);
  await stop();
});

test("a loop ends with its signal, in a wait and in a pass, and leaves no timer", async () => {
  const waiting = start(async () => undefined, { resyncMs: 1_000 });
  await settle();
  await waiting.stop();
  assert.equal(waiting.clock.pending, 0);
  const inPass = start(
    (signal) => new Promise((resolve) => signal.addEventListener("abort", () => resolve())),
  );
  await settle();
  await inPass.stop();
  assert.equal(inPass.loop.passes, 1);
});

test("a loop that has run long holds no more than one listener of its signal", async () => {
  const stop = new AbortController();
  const clock = new FakeClock();
  const options = { name: "test", clock, random: fixedRandom(0.5), log: silentLogger };
  const loop = createLoop({ ...options, pass: async () => undefined });
  const end = loop.run(stop.signal);
  await settle();
  for (let count = 0; count < 30; count += 1) {
    loop.trigger();
    await settle();
  }
  assert.equal(loop.passes, 31);
  assert.equal(getEventListeners(stop.signal, "abort").length, 1);
  stop.abort();
  await end;
  assert.equal(getEventListeners(stop.signal, "abort").length, 0);
});

test("a pass can see that another one is due: once it was asked for, its time has come, or the end", async () => {
  const seen: boolean[] = [];
  let passes = 0;
  const { clock, loop, stop } = start(
    async (_, time) => {
      passes += 1;
      if (passes !== 2) return;
      seen.push(loop.isDue);
      loop.trigger();
      seen.push(loop.isDue);
      await time.sleep(50);
      seen.push(loop.isDue);
      await time.sleep(1_000);
    },
    { minIntervalMs: 50 },
  );
  await clock.advance(100);
  loop.trigger();
  await settle();
  await clock.advance(50);
  assert.deepEqual(seen, [false, false, true]);
  const stopped = stop();
  assert.equal(loop.isDue, true);
  await clock.advance(1_000);
  await stopped;
});

test("with patience a pass gives way at once to an urgent one alone, to others when it has done much", async () => {
  const seen: (readonly [after: number, isDue: boolean])[] = [];
  const { clock, loop, stop } = start(
    async (_, time) => {
      const began = time.now();
      const look = (): unknown => seen.push([time.now() - began, loop.isDue]);
      for (const ms of [60, 230, 10]) {
        await time.sleep(ms);
        loop.trigger();
        look();
      }
      loop.trigger(true);
      look();
      await time.sleep(10_000);
    },
    { minIntervalMs: 50, urgentIntervalMs: 20, patienceMs: 300 },
  );
  for (const ms of [60, 230, 10]) {
    await settle();
    await clock.advance(ms);
  }
  await settle();
  assert.deepEqual(seen, [
    [60, false],
    [290, false],
    [300, true],
    [300, true],
  ]);
  const stopped = stop();
  await clock.advance(10_000);
  await stopped;
});

test("an urgent one does not wait for patience", async () => {
  let isDue: boolean | undefined;
  const { clock, loop, stop } = start(
    async (_, time) => {
      await time.sleep(20);
      loop.trigger(true);
      isDue = loop.isDue;
      await time.sleep(10_000);
    },
    { minIntervalMs: 50, urgentIntervalMs: 20, patienceMs: 300 },
  );
  await settle();
  await clock.advance(20);
  await settle();
  assert.equal(isDue, true);
  const stopped = stop();
  await clock.advance(10_000);
  await stopped;
});
