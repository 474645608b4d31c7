import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { MAX_FORWARDING_ID } from "#api/forwarding-ids.ts";
import { hasForeignBits, idOf, isRoutingBit, markOf, type Tier } from "./mark.ts";

const BIT = 0x1000;

const MARKS: readonly [id: number, tier: Tier, mark: number][] = [
  [1, 1, 0x1001],
  [1, 2, 0x3001],
  [0xfff, 1, 0x1fff],
  [0x1000, 1, 0x11000],
  [0x1000, 2, 0x13000],
  [MAX_FORWARDING_ID, 1, (((MAX_FORWARDING_ID >>> 12) << 16) | 0x1000 | (MAX_FORWARDING_ID & 0xfff)) >>> 0],
];
for (const [id, tier, mark] of MARKS) {
  test(`id ${id} in tier ${tier} is marked 0x${mark.toString(16)}`, () => {
    assert.equal(markOf(id, tier, BIT), mark);
    assert.equal(idOf(mark), id);
  });
}

for (const id of [0, -1, 1.5, Number.NaN, MAX_FORWARDING_ID + 1]) {
  test(`${id} is no forwarding id`, () => {
    assert.throws(() => markOf(id, 1, BIT), RangeError);
  });
}

test("no two ids share a mark, and none has another agent's bit", () => {
  const id = fc.integer({ min: 1, max: MAX_FORWARDING_ID });
  const tier = fc.constantFrom<Tier>(1, 2);
  fc.assert(
    fc.property(id, tier, id, tier, (a, tierA, b, tierB) => {
      const [left, right] = [markOf(a, tierA, BIT), markOf(b, tierB, BIT)];
      assert.equal(left === right, a === b && tierA === tierB);
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
