import assert from "node:assert/strict";
import { test } from "node:test";
import type { Deployment } from "#common/kube/resource.ts";
import { Memory } from "#operator/memory.ts";
import { FakeClock } from "#test/fakes/clock.ts";
import { pod } from "#test/fakes/operator-view.ts";

const deployment = (availableReplicas: number): Deployment =>
  ({ metadata: {}, status: { availableReplicas } }) as unknown as Deployment;

test("the time without a controller begins with the last one's end, and anew each time", async () => {
  const clock = new FakeClock();
  const memory = new Memory(clock);
  const after = async (ms: number, available: number): Promise<number> => {
    await clock.advance(ms);
    return memory.withoutControllersMs(deployment(available));
  };
  assert.equal(await after(0, 2), 0);
  // The first of two goes, and hours pass.
  assert.equal(await after(10_000_000, 1), 0);
  assert.equal(await after(1_000, 0), 0);
  assert.equal(await after(59_000, 0), 59_000);
  assert.equal(await after(1_000, 1), 0);
  assert.equal(await after(1_000, 0), 0);
  assert.equal(await after(7, 0), 7);
});

test("a Deployment that is gone has no controller", async () => {
  const clock = new FakeClock();
  const memory = new Memory(clock);
  assert.equal(memory.withoutControllersMs(undefined), 0);
  await clock.advance(5);
  assert.equal(memory.withoutControllersMs(undefined), 5);
});

test("of pods only speakers' count", async () => {
  const clock = new FakeClock();
  const memory = new Memory(clock);
  const controller = pod("node1", { component: "controller" });
  assert.equal(memory.withoutSpeakersMs([pod("node1"), controller]), 0);
  await clock.advance(5);
  assert.equal(memory.withoutSpeakersMs([controller]), 0);
  await clock.advance(5);
  assert.equal(memory.withoutSpeakersMs([]), 5);
});
