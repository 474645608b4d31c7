import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isolate } from "./isolate.ts";

/** A kernel that does all or nothing, and refuses whatever has one of `bad` in it. */
function kernel(bad: ReadonlySet<number>) {
  const done: number[] = [];
  let [attempts, carried] = [0, 0];
  return {
    done,
    cost: () => ({ attempts, carried }),
    attempt: (items: readonly number[]): string | undefined => {
      attempts += 1;
      carried += items.length;
      const first = items.find((item) => bad.has(item));
      if (first !== undefined) return `not ${first}`;
      done.push(...items);
      return undefined;
    },
  };
}
const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

test("what is refused is found, and all the rest is done once", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 200 }), fc.array(fc.nat(199), { maxLength: 20 }), (count, list) => {
      const bad = new Set(list.filter((item) => item < count));
      const { done, attempt } = kernel(bad);
      const refused = isolate(upTo(count), attempt, 10_000);
      assert.deepEqual(
        refused,
        [...bad].sort((a, b) => a - b).map((item) => ({ item, error: `not ${item}` })),
      );
      assert.deepEqual(
        done.sort((a, b) => a - b),
        upTo(count).filter((item) => !bad.has(item)),
      );
    }),
    { verbose: 1 },
  );
});

test("one of 60,000 costs no more than three times what all of them do", () => {
  const { attempt, cost } = kernel(new Set([41_003]));
  assert.equal(isolate(upTo(60_000), attempt, 200).length, 1);
  assert.ok(cost().attempts <= 40 && cost().carried <= 180_000, JSON.stringify(cost()));
});

test("a kernel that refuses everything is asked no more than the budget allows, and nothing is left unsaid", () => {
  const all = upTo(1_000);
  const { attempt, cost } = kernel(new Set(all));
  const refused = isolate(all, attempt, 50);
  assert.deepEqual(
    refused.map(({ item }) => item).sort((a, b) => a - b),
    all,
  );
  assert.equal(cost().attempts, 50);
});
