import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { differenceOf, partOf } from "./list-difference.ts";
import type { Advertisement } from "./types.ts";

/** Two of each prefix, which are other objects. */
const POOL: readonly Advertisement[] = Array.from({ length: 24 }, (_, at) => ({
  prefix: `10.0.0.${at % 12}/32`,
  communities: [at],
  largeCommunities: [],
}));
const lists = fc
  .shuffledSubarray(POOL.map((_, at) => at))
  .map((chosen) =>
    chosen.filter((at, index) => chosen.findIndex((other) => other % 12 === at % 12) === index),
  )
  .map((chosen) => chosen.map((at) => POOL[at] ?? assert.fail()));

test("what is removed and what is added make the one list of the other; it is found once", () => {
  fc.assert(
    fc.property(lists, lists, (before, after) => {
      const { removed, added } = differenceOf(before, after);
      assert.deepEqual(new Set(removed), new Set(before).difference(new Set(after)));
      assert.deepEqual(new Set(added), new Set(after).difference(new Set(before)));
      assert.equal(differenceOf(before, after), differenceOf(before, after));
      const prefixes = new Set(after.map(({ prefix }) => prefix));
      assert.deepEqual(
        differenceOf(before, after).common,
        before.filter(({ prefix }) => prefixes.has(prefix)),
      );
    }),
  );
});

test("part by part the list after is reached, and no prefix of both is missing on the way", () => {
  fc.assert(
    fc.property(lists, lists, fc.integer({ min: 1, max: 4 }), (before, after, count) => {
      const stays = before.filter(({ prefix }) => after.some((one) => one.prefix === prefix));
      let now: readonly Advertisement[] = differenceOf(before, after).common;
      for (let left = differenceOf(now, after).added.length; left > 0; left -= Math.min(left, count)) {
        const next = partOf(now, after, count);
        assert.equal(partOf(now, after, count), next);
        assert.equal(differenceOf(now, next).added.length, Math.min(left, count));
        now = next;
        const prefixes = now.map(({ prefix }) => prefix);
        assert.equal(new Set(prefixes).size, prefixes.length);
        for (const { prefix } of stays) assert.ok(prefixes.includes(prefix));
      }
      assert.deepEqual(new Set(now), new Set(after));
    }),
  );
});

test("where nothing goes the list stays the object that it is", () => {
  const [first, second, third] = POOL as readonly [Advertisement, Advertisement, Advertisement];
  const before = [first, third];
  assert.equal(differenceOf(before, [first, second, third]).common, before);
  assert.equal(differenceOf(before, before).common, before);
  const { removed, added } = differenceOf(before, [...before]);
  assert.deepEqual([removed, added], [[], []]);
});
