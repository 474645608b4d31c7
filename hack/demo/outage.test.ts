import assert from "node:assert/strict";
import { test } from "node:test";
import { parseResults, summarize } from "./outage.ts";

const ok = (at: number) => ({ at, ok: true, took: 5 });
const bad = (at: number) => ({ at, ok: false, took: 1000, error: "timeout" });

const cases = [
  {
    name: "nothing failed",
    results: [ok(0), ok(100), ok(200)],
    expected: { asked: 2, failed: 0, answeredAfter: 5, lastFailureAfter: 0 },
  },
  {
    name: "an outage, then answers",
    results: [ok(0), bad(100), bad(300), ok(2000), ok(2200)],
    expected: { asked: 4, failed: 2, answeredAfter: 1905, lastFailureAfter: 1200 },
  },
  {
    name: "never answered again",
    results: [ok(0), bad(150), bad(350)],
    expected: { asked: 2, failed: 2, answeredAfter: undefined, lastFailureAfter: 1250 },
  },
  {
    name: "one that failed late counts into the last failure",
    results: [bad(100), ok(200), bad(900), ok(1000)],
    expected: { asked: 4, failed: 2, answeredAfter: 105, lastFailureAfter: 1800 },
  },
];

for (const { name, results, expected } of cases) {
  test(`summarize: ${name}`, () => assert.deepEqual(summarize(results, 100), expected));
}

test("the probe's lines are parsed, a note between them is not", () => {
  assert.deepEqual(parseResults('warning\n{"at":1,"ok":true,"took":2}\n'), [{ at: 1, ok: true, took: 2 }]);
});
