/** When told connections are bound anew: at first, when demanded, not too often, and again where it did not come to its end. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "#test/fakes/clock.ts";
import { Binding } from "./binding.ts";

class World {
  readonly clock = new FakeClock();
  pieces = 0;
  isRefused = false;
  begun = 0;
  bound = 0;
  readonly binding = new Binding({ clock: this.clock, bindTold: () => this.#work() });

  open = 0;

  *#work(): Generator<undefined, boolean> {
    this.begun += 1;
    this.open += 1;
    try {
      for (let piece = 0; piece < this.pieces; piece++) yield;
      if (!this.isRefused) this.bound += 1;
      return !this.isRefused;
    } finally {
      this.open -= 1;
    }
  }

  async run(isUrgent = (): boolean => false): Promise<void> {
    let isOver = false;
    const over = this.binding.run(isUrgent).then(() => {
      isOver = true;
    });
    for (let ms = 0; ms <= this.pieces && !isOver; ms++) await this.clock.advance(1);
    await over;
  }
}

test("once at first, and then when it is demanded", async () => {
  const world = new World();
  await world.run();
  await world.clock.advance(60_000);
  await world.run();
  assert.equal(world.bound, 1);
  world.binding.demand();
  await world.run();
  assert.equal(world.bound, 2);
});

test("whoever demands it all the time gets it every 5 s, and less often where it takes long", async () => {
  for (const [pieces, most] of [
    [0, 12],
    [600, 5],
  ] as const) {
    const world = new World();
    world.pieces = pieces;
    for (const end = world.clock.now() + 60_000; world.clock.now() < end; ) {
      world.binding.demand();
      await world.run();
      await world.clock.advance(100);
    }
    assert.ok(
      world.bound >= most - 1 && world.bound <= most + 1,
      `${world.bound} times with ${pieces} pieces`,
    );
  }
});

test("it gives way to what is urgent, and goes on the next time: where something always is, it ends all the same", async () => {
  const world = new World();
  world.pieces = 3;
  for (let turn = 0; turn < 3; turn++) {
    await world.run(() => true);
    assert.deepEqual([world.begun, world.bound], [1, 0]);
  }
  await world.run(() => true);
  assert.deepEqual([world.begun, world.bound], [1, 1]);
});

test("what is demanded while it is at work comes after it", async () => {
  const world = new World();
  world.pieces = 3;
  await world.run(() => true);
  world.binding.demand();
  await world.run();
  await world.clock.advance(5_000);
  await world.run();
  assert.deepEqual([world.begun, world.bound], [2, 2]);
});

test("where not all was told of, it is tried again after a while", async () => {
  const world = new World();
  world.isRefused = true;
  await world.run();
  await world.run();
  assert.equal(world.begun, 1);
  world.isRefused = false;
  await world.clock.advance(5_000);
  await world.run();
  assert.equal(world.bound, 1);
});

test("what is forgotten half way leaves nothing open, and the next one begins anew", async () => {
  const world = new World();
  world.pieces = 3;
  await world.run(() => true);
  assert.equal(world.open, 1);
  world.binding.forget();
  world.binding.forget();
  assert.equal(world.open, 0);
  await world.clock.advance(5_000);
  await world.run();
  assert.deepEqual([world.begun, world.bound, world.open], [2, 1, 0]);
});
