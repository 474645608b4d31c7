import assert from "node:assert/strict";
import { test } from "node:test";
import { lostIn, overlapIn, spread } from "./failover-figures.ts";

const every10 = (hardware: string, from: number, to: number) =>
  Array.from({ length: (to - from) / 10 + 1 }, (_, at) => ({ hardware, at: from + at * 10 }));

test("two answer from the first answer of the later one to the last of the other", () => {
  assert.equal(overlapIn([...every10("a", 0, 100), ...every10("b", 70, 200)]), 30);
  assert.equal(overlapIn([...every10("a", 0, 100), ...every10("b", 110, 200)]), 0);
  assert.equal(overlapIn(every10("a", 0, 100)), 0);
  assert.equal(overlapIn([]), 0);
});

test("questions without an answer", () => {
  assert.deepEqual(lostIn([...every10("a", 0, 100), ...every10("b", 200, 300)]), { lost: 9, of: 30 });
  assert.deepEqual(lostIn(every10("a", 0, 100)), { lost: 0, of: 10 });
  assert.deepEqual(lostIn([]), { lost: 0, of: 0 });
});

test("median and most", () => {
  const { p50_ms, p99_ms, most_ms, runs } = spread([3, 1, 2, 10]);
  assert.deepEqual([p50_ms, p99_ms, most_ms, runs], [3, 10, 10, 4]);
});
