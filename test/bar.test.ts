import assert from "node:assert/strict";
import { test } from "node:test";
import { STARVED_TIMES, watchBars } from "#test/bar.ts";

const barsOf = async (starvation: string | undefined, told: string[] = [], heldMs = 0) =>
  watchBars({
    watch: async () => async () => starvation,
    watchStill: async () => () => heldMs,
    tell: (line) => told.push(line),
  });

test("what is in time is in time, on any machine, and nothing is said", async () => {
  const told: string[] = [];
  await (await barsOf(undefined, told)).hold("it", 200, 200);
  await (await barsOf("starved", told)).hold("it", 200, 200);
  assert.deepEqual(told, []);
});

test("what is late is a fault on a machine that had time", async () => {
  const bars = await barsOf(undefined);
  await assert.rejects(bars.hold("the fall", 200.04, 200), /the fall took 200\.0 ms, 200 ms at most/);
});

test("a starved machine is told of, and held to a multiple", async () => {
  const told: string[] = [];
  const bars = await barsOf("load average 9", told);
  await bars.hold("it", 201, 200);
  assert.deepEqual(told, ["it took 201.0 ms, 200 ms at most: not judged, load average 9"]);
  await assert.rejects(bars.hold("it", 200 * STARVED_TIMES + 1, 200), /200 ms at most/);
});

test("what is late by no more than the machine stood still is told of, and no more than that", async () => {
  const told: string[] = [];
  const bars = await barsOf(undefined, told, 30);
  await bars.hold("it", 230, 200);
  assert.deepEqual(told, [
    "it took 230.0 ms, 200 ms at most: not judged, the machine stood still for 30.0 ms",
  ]);
  await assert.rejects(bars.hold("it", 231, 200), /200 ms at most/);
});
