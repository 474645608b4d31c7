import assert from "node:assert/strict";
import { test } from "node:test";
import { DeadlineError, settled, until } from "#test/until.ts";

test("resolves to what the look found, and looks again while it throws or finds nothing", async () => {
  const answers = [undefined, null, false, new Error("not yet"), 0];
  const look = (): unknown => {
    const answer = answers.shift();
    if (answer instanceof Error) throw answer;
    return answer;
  };
  assert.equal(await until("zero", look, { everyMs: 1 }), 0);
  assert.deepEqual(answers, []);
});

test("fails at the deadline with what was waited for and the last error", async () => {
  const look = (): never => {
    throw new Error("no route");
  };
  await assert.rejects(
    until("an answer", look, { deadlineMs: 5, everyMs: 1, watch: async () => async () => undefined }),
    (error) =>
      error instanceof DeadlineError && /waited 5 ms for an answer; last look: no route/.test(error.message),
  );
});

for (const [what, words, looks] of [
  ["a busy machine gets more time, once, and it is told", "BUSY", 4],
  ["one that is not gets none", undefined, 1],
] as const) {
  test(what, async () => {
    const told: string[] = [];
    const deadlineMs = 40;
    const began = performance.now();
    const waiting = until("an answer", () => undefined, {
      deadlineMs,
      everyMs: 1,
      watch: async () => async () => words,
      tell: (line) => void told.push(line),
    });
    await assert.rejects(waiting, new RegExp(`waited ${deadlineMs * looks} ms for an answer`));
    assert.ok(performance.now() - began >= deadlineMs * looks);
    const expected = words === undefined ? [] : ["waited 40 ms for an answer, and waits on: BUSY"];
    assert.deepEqual(told, expected);
  });
}

test("settled: two looks in a row have to see the same", async () => {
  const seen = [[1], [2], [1], [1], [3]];
  assert.deepEqual(await settled("it to stay", () => seen.shift(), { everyMs: 1 }), [1]);
  assert.deepEqual(seen, [[3]]);
  let count = 0;
  const moving = settled("it to stay", () => (count += 1), {
    deadlineMs: 5,
    everyMs: 1,
    watch: async () => async () => undefined,
  });
  await assert.rejects(moving, DeadlineError);
});
