import assert from "node:assert/strict";
import { test } from "node:test";
import { groupedBy, growing } from "#api/v1beta1/admission/growing.ts";

test("what is in a list is taken once, however often the index is asked for", () => {
  const taken: string[] = [];
  const indexOf = growing<string, Set<string>>(
    () => new Set(),
    (index, items) => {
      for (const item of items) index.add(item);
      taken.push(...items);
    },
  );
  const list = ["a", "b"];
  assert.deepEqual([...indexOf(list)], ["a", "b"]);
  list.push("c");
  assert.deepEqual([...indexOf(list)], ["a", "b", "c"]);
  assert.equal(indexOf(list), indexOf(list));
  assert.deepEqual(taken, ["a", "b", "c"]);
  assert.deepEqual([...indexOf(["d"])], ["d"]);
});

test("a list that became shorter is taken anew", () => {
  const lengths = groupedBy<string>((text) => String(text.length));
  const list = ["a", "bb", "c"];
  assert.deepEqual(
    [...lengths(list)],
    [
      ["1", ["a", "c"]],
      ["2", ["bb"]],
    ],
  );
  list.pop();
  assert.deepEqual(lengths(list).get("1"), ["a"]);
});

test("keys are words as any other", () => {
  const byName = groupedBy<string>((name) => (name === "none" ? undefined : name));
  const groups = byName(["constructor", "__proto__", "none"]);
  assert.deepEqual([...groups.keys()], ["constructor", "__proto__"]);
  assert.equal(groups.get("toString"), undefined);
});
