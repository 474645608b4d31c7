import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { elect } from "./elect.ts";

const nodeNames = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 20 }), { minLength: 1, maxLength: 12 });
const vips = fc.oneof(fc.ipV4(), fc.ipV6());

test("all nodes agree, in whatever order they know the candidates", () => {
  fc.assert(
    fc.property(
      nodeNames.chain((names) =>
        fc.tuple(fc.constant(names), fc.shuffledSubarray(names, { minLength: names.length })),
      ),
      vips,
      ([names, shuffled], vip) => {
        assert.equal(elect({ vip, candidates: names }), elect({ vip, candidates: shuffled }));
      },
    ),
  );
});

test("a candidate that did not win and leaves moves nothing; the winner's leaving moves its own", () => {
  fc.assert(
    fc.property(nodeNames, vips, fc.nat(), (names, vip, pick) => {
      const winner = elect({ vip, candidates: names });
      const leaver = names[pick % names.length];
      const after = elect({ vip, candidates: names.filter((name) => name !== leaver) });
      if (leaver === winner) assert.notEqual(after, winner);
      else assert.equal(after, winner);
    }),
  );
});

test("the present owner stays while it is a candidate", () => {
  fc.assert(
    fc.property(nodeNames, vips, fc.string(), (names, vip, stranger) => {
      for (const present of names) assert.equal(elect({ vip, candidates: names, present }), present);
      if (!names.includes(stranger)) {
        assert.equal(elect({ vip, candidates: names, present: stranger }), elect({ vip, candidates: names }));
      }
    }),
  );
});

test("nobody without candidates", () => {
  assert.equal(elect({ vip: "192.0.2.1", candidates: [] }), undefined);
});

test("addresses spread evenly over nodes with similar names", () => {
  const candidates = ["node1", "node2", "node3", "node4"];
  const counts = new Map<string, number>();
  for (let at = 0; at < 4000; at += 1) {
    const owner = elect({ vip: `172.30.${at >> 8}.${at & 255}`, candidates }) ?? "";
    counts.set(owner, (counts.get(owner) ?? 0) + 1);
  }
  // 1000 each expected, standard deviation 27: five of them on either side.
  for (const name of candidates) {
    const count = counts.get(name) ?? 0;
    assert.ok(count > 860 && count < 1140, `${name} owns ${count} of 4000`);
  }
});

test("owners of some addresses are fixed for ever: nodes of two versions must agree", () => {
  const candidates = ["node1", "node2", "node3"];
  const owners = ["172.30.0.200", "172.30.0.201", "172.30.0.202", "fd30::200", "fd30::201"].map((vip) =>
    elect({ vip, candidates }),
  );
  assert.deepEqual(owners, ["node2", "node1", "node1", "node3", "node3"]);
});
