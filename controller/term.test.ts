import assert from "node:assert/strict";
import { test } from "node:test";
import { record } from "#controller/testing/records.ts";
import { termWorld } from "#test/fakes/term.ts";

test("100 pools one after the other settle everything anew a few times, and keep a Service waiting for one rest", async () => {
  const all = termWorld();
  const { clock, services, addPool, rebuilds } = all;
  all.rebuildMs = 10;
  addPool("first", "10.0.0.0/24");
  await clock.advance(1_000);
  const before = rebuilds();
  for (let at = 0; at < 100; at += 1) {
    addPool(`m${at}`, `10.${1 + (at >> 8)}.${at & 255}.0/28`);
    if (at % 25 === 0) {
      const late = record(`late${at}`);
      services.set(late.key, late);
      // Settling takes 10 ms here, and rests ten times as long.
      await clock.advance(120);
      assert.equal(all.addressesOf(late.key).length, 1, "has its address although pools come in");
    }
    await clock.advance(30);
  }
  await clock.advance(1_000);
  const count = rebuilds() - before;
  assert.ok(count > 1 && count <= 36, `3.5 s of changes settled everything ${count} times`);
  assert.equal(all.term.allocator.config.pools.list().length, 101, "with all of them at last");
  await all.end();
});

test("a change after quiet is settled at once", async () => {
  const all = termWorld();
  const { clock, services, addPool } = all;
  services.set("default/a", record("a"));
  await clock.advance(1_000);
  assert.deepEqual(all.addressesOf("default/a"), []);
  addPool("first", "10.0.0.0/24");
  await clock.advance(0);
  assert.deepEqual(all.addressesOf("default/a"), ["10.0.0.0"]);
  await all.end();
});

test("a Service that comes right after its pool is refused nothing while that pool waits to be settled", async () => {
  const all = termWorld();
  const { clock, services, addPool } = all;
  await clock.advance(1_000);
  all.rebuildMs = 45;
  addPool("other", "10.0.0.0/32");
  services.set("default/first", record("first"));
  await clock.advance(0);
  assert.deepEqual(all.addressesOf("default/first"), ["10.0.0.0"], "the only address that there is");
  addPool("late", "10.0.1.0/24");
  services.set("default/second", record("second"));
  await clock.advance(5);
  assert.equal(services.get("default/second")?.conditions.length, 0, "neither address nor refusal yet");
  await clock.advance(1_000);
  assert.equal(all.addressesOf("default/second").length, 1);
  assert.deepEqual(
    all.events.filter(({ type }) => type === "Warning"),
    [],
  );
  await all.end();
});

test("nobody is given an address of a pool that is gone, however soon he comes after it", async () => {
  const all = termWorld();
  const { clock, services, addPool, removePool } = all;
  await clock.advance(1_000);
  all.rebuildMs = 45;
  addPool("web", "10.0.0.0/24");
  await clock.advance(0);
  removePool("web");
  services.set("default/a", record("a"));
  await clock.advance(5);
  addPool("web", "10.0.1.0/24");
  await clock.advance(1_000);
  assert.deepEqual(all.addressesOf("default/a"), ["10.0.1.0"]);
  assert.deepEqual(
    all.events.map(({ reason }) => reason),
    ["IPAllocated"],
  );
  await all.end();
});

test("a Service that comes right after two pools has its address of the better one", async () => {
  const all = termWorld();
  const { clock, services, addPool } = all;
  await clock.advance(1_000);
  all.rebuildMs = 45;
  addPool("later", "10.0.1.0/24");
  await clock.advance(1);
  addPool("earlier", "10.0.0.0/24");
  services.set("default/a", record("a"));
  await clock.advance(1_000);
  assert.deepEqual(all.addressesOf("default/a"), ["10.0.0.0"]);
  await all.end();
});
