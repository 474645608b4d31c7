import assert from "node:assert/strict";
import { test } from "node:test";
import { failuresIn } from "#hack/suites/failures.ts";

const RUN = `✔ a quick one (2.1ms)
▶ a group
  ✖ inside (3.2ms)
✖ a group (3.4ms)
ℹ tests 3
ℹ fail 2

✖ failing tests:

test at test/a.test.ts:3:1
✖ inside (3.2ms)
  AssertionError [ERR_ASSERTION]: ✖ is a character (of the message)
`;

test("what failed is named once, whatever other runs print around it", () => {
  const next = "test/b.test.ts\n✔ good (1ms)\nℹ tests 1\n";
  assert.deepEqual(failuresIn(next), []);
  assert.deepEqual(failuresIn(RUN + next + RUN.replaceAll("inside", "another")), ["inside", "another"]);
});
