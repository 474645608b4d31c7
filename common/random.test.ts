import assert from "node:assert/strict";
import { test } from "node:test";
import { backoff, jittered } from "#common/random.ts";

const least = { number: () => 0 };
const most = { number: () => 1 - 2 ** -32 };

test("the backoff doubles up to its cap and is spread over half of it", () => {
  const limits = { baseMs: 200, capMs: 5_000 };
  const rows = [
    [1, 100, 200],
    [2, 200, 400],
    [5, 1_600, 3_200],
    [6, 2_500, 5_000],
    [10_000, 2_500, 5_000],
  ] as const;
  for (const [failures, low, high] of rows) {
    assert.equal(backoff(failures, limits, least), low);
    assert.ok(Math.abs(backoff(failures, limits, most) - high) < 0.01);
  }
});

test("jitter keeps to its share", () => {
  assert.equal(jittered(1_000, 0.1, least), 900);
  assert.ok(Math.abs(jittered(1_000, 0.1, most) - 1_100) < 0.01);
});
