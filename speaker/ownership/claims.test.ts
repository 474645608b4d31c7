import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { elect } from "../plan/elect.ts";
import { type Claim, Claims, firstEpoch, MOST_EPOCH } from "./claims.ts";

const VIP = "192.0.2.1";
const claims = fc.array(
  fc.record({
    vip: fc.constantFrom(VIP, "192.0.2.2", "fd00::1"),
    node: fc.constantFrom("n1", "n2", "n3"),
    epoch: fc.integer({ min: 1, max: 4 }),
  }),
  { maxLength: 20 },
);
const all = (list: readonly Claim[]): Claims => {
  const found = new Claims();
  for (const one of list) found.add(one);
  return found;
};
const sorted = (found: Claims): string[] => [...found.list()].map((one) => JSON.stringify(one)).sort();

test("all come to the same, in whatever order and however often claims are heard", () => {
  const heard = claims.chain((list) =>
    fc.tuple(fc.constant(list), fc.shuffledSubarray([...list, ...list], { minLength: list.length * 2 })),
  );
  fc.assert(
    fc.property(heard, ([list, again]) => {
      assert.deepEqual(sorted(all(list)), sorted(all(again)));
    }),
  );
});

test("the highest epoch counts, and of two that are equal the one that is elected", () => {
  const found = all([{ vip: VIP, node: "n1", epoch: 2 }]);
  assert.equal(found.add({ vip: VIP, node: "n2", epoch: 1 }), false);
  assert.equal(found.add({ vip: VIP, node: "n1", epoch: 2 }), false, "it is known");
  assert.equal(found.add({ vip: VIP, node: "n3", epoch: 3 }), true);
  assert.equal(found.of(VIP)?.node, "n3");
  const winner = elect({ vip: VIP, candidates: ["n2", "n3"] });
  found.add({ vip: VIP, node: "n2", epoch: 3 });
  assert.equal(found.of(VIP)?.node, winner);
});

test("what has changed is told once, and addresses that nobody has are forgotten", () => {
  const found = all([
    { vip: VIP, node: "n1", epoch: 1 },
    { vip: "192.0.2.2", node: "n1", epoch: 1 },
  ]);
  assert.deepEqual([...found.takeChanged()], [VIP, "192.0.2.2"]);
  assert.deepEqual([...found.takeChanged()], []);
  found.keep(new Set([VIP]));
  assert.deepEqual([found.size, found.of("192.0.2.2")], [1, undefined]);
});

test("the first epoch is higher than all that were claimed before everybody was down at once", () => {
  assert.equal(
    firstEpoch(new Date("2026-01-01T00:00:10Z")) - firstEpoch(new Date("2026-01-01T00:00:00Z")),
    10,
  );
  for (const date of ["1970-01-01T00:00:00Z", "9999-01-01T00:00:00Z"]) {
    const epoch = firstEpoch(new Date(date));
    assert.ok(epoch >= 1 && epoch < MOST_EPOCH, date);
  }
});
