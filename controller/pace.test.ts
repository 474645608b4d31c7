import assert from "node:assert/strict";
import { test } from "node:test";
import { Pace } from "#controller/pace.ts";

const LIMITS = { share: 10, minMs: 100, maxMs: 1_000 };

test("the first time is at once; then the rest grows with the cost, within limits", () => {
  for (const [tookMs, restMs] of [
    [0, 100],
    [5, 100],
    [45, 450],
    [5_000, 1_000],
  ] as const) {
    const pace = new Pace(LIMITS);
    assert.equal(pace.waitMs(7), 0);
    pace.spent(7, 7 + tookMs);
    const end = 7 + tookMs;
    assert.equal(pace.waitMs(end), restMs, `${tookMs} ms`);
    assert.equal(pace.waitMs(end + restMs - 1), 1);
    assert.equal(pace.waitMs(end + restMs), 0);
    assert.equal(pace.waitMs(end + 60_000), 0);
  }
});
