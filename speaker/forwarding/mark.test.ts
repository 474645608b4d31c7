import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { MAX_FORWARDING_ID } from "#api/forwarding-ids.ts";
import {
  hasForeignBits,
  idOf,
  isRoutingBit,
  MAX_SLOT,
  markOf,
  NO_SLOT,
  slotOf,
  type Tier,
  tierOf,
} from "./mark.ts";

const BIT = 0x1000;

const MARKS: readonly [id: number, tier: Tier, slot: number, mark: number][] = [
  [1, 1, NO_SLOT, 0x1001],
  [1, 2, NO_SLOT, 0x3001],
  [1, 2, 1, 0x403001],
  [1, 2, 10, 0x2803001],
  [0xfff, 1, NO_SLOT, 0x1fff],
  [0x1000, 1, NO_SLOT, 0x11000],
  [0x1000, 2, NO_SLOT, 0x13000],
  [MAX_FORWARDING_ID, 1, NO_SLOT, 0x3f1fff],
  [MAX_FORWARDING_ID, 2, MAX_SLOT, 0x7fff3fff],
];
for (const [id, tier, slot, mark] of MARKS) {
  test(`id ${id} in tier ${tier} for slot ${slot} is marked 0x${mark.toString(16)}`, () => {
    assert.equal(markOf(id, tier, BIT, slot), mark);
    assert.deepEqual([idOf(mark), tierOf(mark), slotOf(mark)], [id, tier, slot]);
  });
}

for (const slot of [-1, 1.5, MAX_SLOT + 1]) {
  test(`${slot} is no slot`, () => {
    assert.throws(() => markOf(1, 2, BIT, slot), RangeError);
  });
}

for (const id of [0, -1, 1.5, Number.NaN, MAX_FORWARDING_ID + 1]) {
  test(`${id} is no forwarding id`, () => {
    assert.throws(() => markOf(id, 1, BIT), RangeError);
  });
}

test("no two ids and slots share a mark, and none has another agent's bit", () => {
  const one = fc.record({
    id: fc.integer({ min: 1, max: MAX_FORWARDING_ID }),
    tier: fc.constantFrom<Tier>(1, 2),
    slot: fc.integer({ min: NO_SLOT, max: MAX_SLOT }),
  });
  fc.assert(
    fc.property(one, one, (a, b) => {
      const [left, right] = [markOf(a.id, a.tier, BIT, a.slot), markOf(b.id, b.tier, BIT, b.slot)];
      assert.equal(left === right, a.id === b.id && a.tier === b.tier && a.slot === b.slot);
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
