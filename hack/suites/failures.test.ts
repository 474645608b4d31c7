import assert from "node:assert/strict";
import { test } from "node:test";
import { failuresIn, failuresOf } from "#hack/suites/failures.ts";

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

test("a run's failures are repeated, a crash with its signal, a long one shortened", () => {
  assert.equal(failuresOf("✔ good (1ms)\nℹ tests 1\n"), "");
  const crash =
    "/a.test.ts ended by SIGSEGV\n/b.test.ts ended with exit code 7\n/a.test.ts ended by SIGSEGV\n";
  assert.equal(
    failuresOf(`${crash}${RUN}test/b.test.ts\n✔ good (1ms)\n`),
    `/a.test.ts ended by SIGSEGV
/b.test.ts ended with exit code 7
test at test/a.test.ts:3:1
✖ inside (3.2ms)
  AssertionError [ERR_ASSERTION]: ✖ is a character (of the message)`,
  );
  const long = failuresOf(RUN + "a line\n".repeat(100));
  assert.equal(long.split("\n").length, 61);
  assert.match(long, /\.\.\. 43 more lines are above$/);
});
