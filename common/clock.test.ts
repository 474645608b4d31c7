import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "#common/clock.ts";
import { FakeClock } from "#test/fakes/clock.ts";

test("the fake clock runs timers in order, each at its own moment", async () => {
  const clock = new FakeClock();
  const seen: string[] = [];
  clock.after(30, () => seen.push(`c@${clock.now()}`));
  clock.after(10, () => {
    seen.push(`a@${clock.now()}`);
    clock.after(10, () => seen.push(`b@${clock.now()}`));
  });
  const cancel = clock.after(15, () => seen.push("cancelled"));
  cancel();
  await clock.advance(29);
  assert.deepEqual(seen, ["a@10", "b@20"]);
  await clock.advance(1);
  assert.deepEqual(seen, ["a@10", "b@20", "c@30"]);
  assert.equal(clock.date().toISOString(), "2026-01-01T00:00:00.030Z");
});

test("sleep ends at its time, or when the signal aborts, and leaves no timer", async () => {
  const clock = new FakeClock();
  const stop = new AbortController();
  const ends: string[] = [];
  const sleeps = [
    clock.sleep(50).then(() => ends.push("time")),
    clock.sleep(1_000, stop.signal).then(() => ends.push("abort")),
  ];
  await clock.advance(50);
  stop.abort();
  await Promise.all(sleeps);
  assert.deepEqual(ends, ["time", "abort"]);
  assert.equal(clock.pending, 0);
});

test("the system clock's sleep ends at once when the signal aborts", async () => {
  const began = systemClock.now();
  const stop = new AbortController();
  const sleeping = systemClock.sleep(60_000, stop.signal);
  stop.abort();
  await sleeping;
  await systemClock.sleep(60_000, stop.signal);
  assert.ok(systemClock.now() - began < 10_000);
});
