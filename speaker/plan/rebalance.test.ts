import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { rebalance } from "./rebalance.ts";

const NODES = ["n1", "n2", "n3", "n4", "n5"];

interface Address {
  readonly vip: string;
  readonly owner: string;
  readonly candidates: readonly string[];
}

const applied = (addresses: readonly Address[]): Address[] => {
  const moves = rebalance(addresses);
  return addresses.map((address) => ({ ...address, owner: moves.get(address.vip) ?? address.owner }));
};
const loadsOf = (addresses: readonly Address[]): number[] =>
  NODES.map((node) => addresses.filter(({ owner }) => owner === node).length);

const of = (owners: fc.Arbitrary<string>, candidates: (owner: string) => fc.Arbitrary<string[]>) =>
  fc
    .array(
      owners.chain((owner) => candidates(owner).map((list) => ({ owner, candidates: list }))),
      { maxLength: 60 },
    )
    .map((list) => list.map((one, at) => ({ vip: `192.0.2.${at}`, ...one })));

test("where all may own all, loads differ by one at most, by as few moves as can be", () => {
  fc.assert(
    fc.property(
      of(fc.constantFrom(...NODES), () => fc.constant(NODES)),
      (addresses) => {
        const loads = loadsOf(applied(addresses));
        assert.ok(Math.max(...loads) - Math.min(...loads) <= 1, loads.join());
        // Each node gives away what it has above its share, and some shares are one higher than others.
        const share = Math.floor(addresses.length / NODES.length);
        const rest = addresses.length % NODES.length;
        const above = loadsOf(addresses).sort((a, b) => b - a);
        const fewest = above.reduce(
          (sum, load, at) => sum + Math.max(0, load - share - Number(at < rest)),
          0,
        );
        assert.equal(rebalance(addresses).size, fewest);
      },
    ),
  );
});

test("each address goes to a candidate, and a second time nothing moves", () => {
  const some = (owner: string) =>
    fc.subarray(NODES).map((list) => (list.includes(owner) ? list : [...list, owner]));
  fc.assert(
    fc.property(of(fc.constantFrom(...NODES), some), (addresses) => {
      const after = applied(addresses);
      for (const { owner, candidates } of after) assert.ok(candidates.includes(owner));
      assert.equal(rebalance(after).size, 0);
      // No load is higher than the highest one was.
      assert.ok(Math.max(...loadsOf(after)) <= Math.max(...loadsOf(addresses)));
    }),
  );
});

test("addresses that nobody owns are left alone", () => {
  const nobody = { vip: "192.0.2.9", candidates: [] };
  const two = ["192.0.2.1", "192.0.2.2"].map((vip) => ({ vip, owner: "n1", candidates: ["n1", "n2"] }));
  assert.deepEqual([...rebalance([...two, nobody])], [["192.0.2.1", "n2"]]);
});
