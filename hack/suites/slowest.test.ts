import assert from "node:assert/strict";
import { test } from "node:test";
import report from "#hack/suites/reporter.ts";
import { lineOf } from "#hack/suites/slowest.ts";

async function* events() {
  yield { type: "test:pass", data: { file: "/r/a.test.ts", duration_ms: 9_000 } };
  yield { type: "test:summary", data: { file: "/r/a.test.ts", duration_ms: 1_000 } };
  yield { type: "test:summary", data: { file: "/r/b.test.ts", duration_ms: 2_340 } };
  yield { type: "test:summary", data: { duration_ms: 99_000 } };
}

test("the files that took longest come first, by their summaries", async () => {
  const said: string[] = [];
  for await (const text of report(events())) said.push(text);
  assert.deepEqual(said, ["slowest of 2 files: /r/b.test.ts 2.3 s, /r/a.test.ts 1.0 s\n"]);
});

test("eight are named, from the root; of none there is nothing to say", () => {
  const took = new Map(Array.from({ length: 20 }, (_, at) => [`/r/${at}.test.ts`, at * 1_000]));
  assert.equal(lineOf(took, "/r").match(/ s(,|$)/gm)?.length, 8);
  assert.match(lineOf(took, "/r"), /^slowest of 20 files: 19\.test\.ts 19\.0 s, /);
  assert.equal(lineOf(new Map(), "/r"), "");
});
