import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { changeOf } from "./list-change.ts";

const CASES: readonly [what: string, before: string, now: string, gone: string, fresh: string][] = [
  ["nothing", "abc", "abc", "", ""],
  ["one in its place", "abcd", "abXd", "c", "X"],
  ["two far from each other", "abcd", "XbcY", "ad", "XY"],
  ["one more", "abc", "abXc", "", "X"],
  ["one more at the end", "abc", "abcX", "", "X"],
  ["one less", "abc", "ac", "b", ""],
  ["all", "abc", "", "abc", ""],
  ["the first ones", "", "ab", "", "ab"],
  ["two of the same beside each other, one less", "aab", "ab", "a", ""],
  ["two that change places", "abc", "bac", "ab", "ba"],
];
for (const [what, before, now, gone, fresh] of CASES) {
  test(`${what}: ${before || "nothing"} -> ${now || "nothing"}`, () => {
    assert.deepEqual(changeOf([...before], [...now]), { gone: [...gone], fresh: [...fresh] });
  });
}

test("what is in neither list of the change is alike before and now", () => {
  const items = fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 12 });
  const sorted = (list: readonly number[]): number[] => list.toSorted((a, b) => a - b);
  const without = (list: readonly number[], taken: readonly number[]): number[] => {
    const left = [...list];
    for (const one of taken) left.splice(left.indexOf(one), 1);
    return sorted(left);
  };
  fc.assert(
    fc.property(items, items, (before, now) => {
      const { gone, fresh } = changeOf(before, now);
      assert.deepEqual(without(before, gone), without(now, fresh));
    }),
  );
});
