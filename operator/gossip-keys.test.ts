import assert from "node:assert/strict";
import { test } from "node:test";
import { GossipKeys, nextKeys, ROTATE_MS, SETTLE_MS } from "#operator/gossip-keys.ts";
import { fakeRandom } from "#test/fakes/random.ts";

const START = Date.parse("2026-11-29T00:00:00Z");
const random = fakeRandom(1);
const at = (ms: number): Date => new Date(START + ms);
const keysOf = (text: string): string[] =>
  text.split("\n").flatMap((line) => (line === "" ? [] : [line.split(" ")[0] ?? ""]));

test("one key at first, and no other one while it is young", () => {
  const first = nextKeys(undefined, at(0), random);
  assert.equal(keysOf(first).length, 1);
  for (const ms of [1, SETTLE_MS, 3 * SETTLE_MS, ROTATE_MS - 1])
    assert.equal(nextKeys(first, at(ms), random), first);
});

test("a new key is read before it is written with, and the old one is read after it", () => {
  const first = nextKeys(undefined, at(0), random);
  const [old] = keysOf(first);
  const both = nextKeys(first, at(ROTATE_MS), random);
  assert.equal(keysOf(both)[0], old);
  const [, young] = keysOf(both);
  assert.equal(nextKeys(both, at(ROTATE_MS + SETTLE_MS - 1), random), both);
  const turned = nextKeys(both, at(ROTATE_MS + SETTLE_MS), random);
  assert.deepEqual(keysOf(turned), [young, old]);
  assert.equal(nextKeys(turned, at(ROTATE_MS + 2 * SETTLE_MS - 1), random), turned);
  assert.deepEqual(keysOf(nextKeys(turned, at(ROTATE_MS + 2 * SETTLE_MS), random)), [young]);
});

test("an operator that was away for a year turns in the same order", () => {
  const first = nextKeys(undefined, at(0), random);
  const both = nextKeys(first, at(12 * ROTATE_MS), random);
  assert.deepEqual([keysOf(both).length, keysOf(both)[0]], [2, keysOf(first)[0]]);
});

test("what is no key is replaced, and so is a key of the future", () => {
  const future = nextKeys(undefined, at(1_000), random);
  for (const text of ["", "garbage", "AAAA 2026-01-01T00:00:00.000Z\n", future]) {
    const keys = keysOf(nextKeys(text, at(0), random));
    assert.equal(keys.length, 1);
    assert.ok(!text.includes(keys[0] ?? ""));
  }
});

test("until a write is seen in the Secret, every pass asks for the same keys", () => {
  for (const stored of [undefined, "garbage", nextKeys(undefined, at(-ROTATE_MS), random)]) {
    const keys = new GossipKeys();
    const first = keys.next(stored, at(0), random);
    assert.deepEqual([first.isNew, first.keys === stored], [true, false]);
    for (const seen of [stored, first.keys, undefined, first.keys])
      assert.deepEqual(keys.next(seen, at(1), random), { keys: first.keys, isNew: false });
  }
});

test("what somebody else writes into the Secret counts, or is replaced", () => {
  const keys = new GossipKeys();
  const first = keys.next(undefined, at(0), random);
  const other = nextKeys(undefined, at(0), random);
  assert.deepEqual(keys.next(other, at(1), random), { keys: other, isNew: false });
  const { keys: next, isNew } = keys.next("garbage", at(2), random);
  assert.ok(isNew && next !== other && next !== first.keys);
});
