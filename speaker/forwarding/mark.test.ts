import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { MAX_FORWARDING_ID } from "#api/forwarding-ids.ts";
import {
  hasForeignBits,
  idOf,
  isRoutingBit,
  MAX_TAG,
  markOf,
  NO_TAG,
  type Tier,
  tagOf,
  tierOf,
} from "./mark.ts";

const BIT = 0x1000;

const MARKS: readonly [id: number, tier: Tier, tag: number, mark: number][] = [
  [1, 1, NO_TAG, 0x1001],
  [1, 2, NO_TAG, 0x3001],
  [1, 2, 1, 0x403001],
  [1, 2, 10, 0x2803001],
  [0xfff, 1, NO_TAG, 0x1fff],
  [0x1000, 1, NO_TAG, 0x11000],
  [0x1000, 2, NO_TAG, 0x13000],
  [MAX_FORWARDING_ID, 1, NO_TAG, 0x3f1fff],
  [MAX_FORWARDING_ID, 2, MAX_TAG, 0x7fff3fff],
];
for (const [id, tier, tag, mark] of MARKS) {
  test(`id ${id} in tier ${tier} for tag ${tag} is marked 0x${mark.toString(16)}`, () => {
    assert.equal(markOf(id, tier, BIT, tag), mark);
    assert.deepEqual([idOf(mark), tierOf(mark), tagOf(mark)], [id, tier, tag]);
  });
}

for (const tag of [-1, 1.5, MAX_TAG + 1]) {
  test(`${tag} is no tag`, () => {
    assert.throws(() => markOf(1, 2, BIT, tag), RangeError);
  });
}

for (const id of [0, -1, 1.5, Number.NaN, MAX_FORWARDING_ID + 1]) {
  test(`${id} is no forwarding id`, () => {
    assert.throws(() => markOf(id, 1, BIT), RangeError);
  });
}

test("no two ids and tags share a mark, and none has another agent's bit", () => {
  const one = fc.record({
    id: fc.integer({ min: 1, max: MAX_FORWARDING_ID }),
    tier: fc.constantFrom<Tier>(1, 2),
    tag: fc.integer({ min: NO_TAG, max: MAX_TAG }),
  });
  fc.assert(
    fc.property(one, one, (a, b) => {
      const [left, right] = [markOf(a.id, a.tier, BIT, a.tag), markOf(b.id, b.tier, BIT, b.tag)];
      assert.equal(left === right, a.id === b.id && a.tier === b.tier && a.tag === b.tag);
      assert.equal(hasForeignBits(left), false);
      assert.ok(left > 0 && (left & BIT) !== 0);
    }),
    { verbose: 1 },
  );
});

test("kube-proxy's bits and bit 31 are foreign", () => {
  for (const bit of [0x4000, 0x8000, 0x80000000]) assert.equal(hasForeignBits(0x1001 | bit), true);
  for (const bit of [0, 0x2000, 0x4000, 0x8000, 0x3000]) assert.equal(isRoutingBit(bit), false);
  assert.equal(isRoutingBit(BIT), true);
});
