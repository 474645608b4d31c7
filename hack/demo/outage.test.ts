import assert from "node:assert/strict";
import { test } from "node:test";
import { judged, outageLines, parseResults, summarize } from "./outage.ts";

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

test("a promise that was kept is told alone; else the machine's load is told beside it", () => {
  const idle = { waiting: 0.1, busy: 0.5, loadAverage: 1, processors: 2 };
  const starved = { waiting: 0.9, busy: 1, loadAverage: 9, processors: 2 };
  const outage = { asked: 40, failed: 12, answeredAfter: 640, lastFailureAfter: 1_560 };
  assert.deepEqual(outageLines(outage, starved), [
    "Answered again 0.64 s after the cut (promised: 1.00 s).",
    "Of 40 requests since the cut 12 failed, the last 1.56 s after it.",
  ]);
  const late = { ...outage, answeredAfter: 1_400 };
  assert.match(outageLines(late, idle)[1] ?? "", /LATER THAN PROMISED.* busy 50 %/);
  assert.match(outageLines(late, starved)[1] ?? "", /too much to do: .*STARVED/);
  assert.match(outageLines({ ...outage, answeredAfter: undefined }, idle)[0] ?? "", /^Not answered again/);
});

test("what is answered late has failed, and has not where late answers count; what never was has failed", () => {
  const late = { ...ok(100), took: 4_000, late: true } as const;
  const all = [ok(0), bad(100), bad(200), late];
  assert.deepEqual(judged(all, false), [ok(0), bad(100), bad(200)]);
  assert.deepEqual(judged(all, true), [ok(0), late, bad(200)]);
});
