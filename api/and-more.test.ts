import assert from "node:assert/strict";
import { test } from "node:test";
import { andMore, firstLines, firstOf } from "./and-more.ts";

const ALL = ["a", "b", "c", "d"];

test("the first ones, and how many there are beside them; nothing of others where there are none", () => {
  assert.deepEqual([andMore(0), andMore(-2), andMore(3)], ["", "", ", and 3 more"]);
  assert.deepEqual(
    [firstOf(ALL, 4), firstOf(ALL, 3), firstOf([], 3)],
    ["a, b, c, d", "a, b, c, and 1 more", ""],
  );
  assert.deepEqual(firstLines(ALL, 4), ALL);
  assert.deepEqual(firstLines(ALL, 2, " elsewhere"), ["a", "b", "and 2 more elsewhere"]);
});
