import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { FairQueue } from "#common/kube/fair-queue.ts";

const LIMITS = { total: 100_000, perOwner: 10 };

/** `group/owner#item`, in the order in which they come out. */
function drained(pushes: readonly string[], limits = LIMITS): string[] {
  const queue = new FairQueue<string>(limits);
  for (const push of pushes) {
    const [group = "", owner = ""] = push.split(/[/#]/);
    queue.push(group, `${group}/${owner}`, push);
  }
  const out: string[] = [];
  for (let item = queue.shift(); item !== undefined; item = queue.shift()) out.push(item);
  assert.equal(queue.size, 0);
  return out;
}

describe("a fair queue", () => {
  const cases: readonly (readonly [string, readonly string[], readonly string[]])[] = [
    ["one owner's items keep their order", ["a/x#1", "a/x#2", "a/x#3"], ["a/x#1", "a/x#2", "a/x#3"]],
    ["another owner's first goes before a second", ["a/x#1", "a/x#2", "a/y#1"], ["a/x#1", "a/y#1", "a/x#2"]],
    [
      "groups take turns, however many owners one has",
      ["a/1#1", "a/2#1", "a/3#1", "b/1#1", "a/1#2"],
      ["a/1#1", "b/1#1", "a/2#1", "a/3#1", "a/1#2"],
    ],
    ["owners of one name in two groups are two", ["a/x#1", "b/x#1", "a/x#2"], ["a/x#1", "b/x#1", "a/x#2"]],
  ];
  for (const [name, pushes, order] of cases) {
    test(name, () => {
      assert.deepEqual(drained(pushes), order);
    });
  }

  test("a first item waits for no owner who had a turn", () => {
    const queue = new FairQueue<string>(LIMITS);
    for (let at = 0; at < 5; at += 1) queue.push("a", "loud", `loud ${at}`);
    assert.equal(queue.shift(), "loud 0");
    queue.push("a", "new", "new 0");
    assert.equal(queue.shift(), "new 0");
    assert.equal(queue.shift(), "loud 1");
  });

  test("it is full for one owner, and not for the next; and full for all", () => {
    const queue = new FairQueue<number>({ total: 4, perOwner: 2 });
    const pushed = ["x", "x", "x", "y", "y", "z"].map((owner, at) => queue.push("a", owner, at));
    assert.deepEqual(pushed, [true, true, false, true, true, false]);
    assert.deepEqual(queue.of("a", "x"), [0, 1]);
    assert.deepEqual([queue.shift(), queue.shift(), queue.size], [0, 3, 2]);
    assert.equal(queue.push("a", "z", 9), true);
  });
});
