/** What kernels choose is in test/dataplane/maglev.test.ts; here is what any Maglev table has to hold. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { siphash13 } from "#cli/maglev/siphash.ts";
import { pick, SLOTS, type Target, tableOf } from "#cli/maglev/table.ts";

const target = (last: number, weight = 1): Target => ({
  address: `10.244.0.${last}`,
  port: 8080,
  weight,
});
const targets = [1, 2, 3, 4, 5, 6, 7].map((last) => target(last));
const flows = Array.from({ length: 500 }, (_, at) => ({
  address: `203.0.113.${at % 250}`,
  port: 1_024 + at,
}));

/** Of a program in C after the paper on SipHash, with 1 and 3 rounds: word, hash for the place, hash for the step. */
const HASHES = [
  [0, 492_468_162, 4_169_286_463],
  [1, 384_591_538, 2_182_130_385],
  [0x0af4_0101 + 8_080, 3_735_528_526, 3_535_844_593],
  [0xffff_ffff, 583_391_001, 4_149_874_525],
  [0xcb00_7107 + 4_242, 2_785_891_083, 4_001_051_393],
] as const;

test("hashes are SipHash-1-3 of one word", () => {
  for (const [word, place, step] of HASHES) {
    assert.deepEqual([siphash13(word, 2_654_435_761n), siphash13(word, 2_654_446_892n)], [place, step]);
  }
});

test("every target has its share of the slots, to one", () => {
  const counts = new Array(targets.length).fill(0);
  for (const number of tableOf(targets)) counts[number] += 1;
  assert.equal(
    counts.reduce((sum, one) => sum + one, 0),
    SLOTS,
  );
  assert.ok(Math.max(...counts) - Math.min(...counts) <= 1, counts.join());
});

test("one that drains moves its own flows only", () => {
  const table = tableOf(targets);
  const draining = targets.map((one, at) => (at === 3 ? { ...one, weight: 0 as const } : one));
  for (const flow of flows) {
    const before = pick({ table, targets }, flow, true);
    const now = pick({ table, targets: draining }, flow, true);
    assert.equal(now?.weight, 1);
    if (before !== targets[3]) assert.equal(now.address, before?.address);
  }
});

test("nobody is picked where nobody takes anything", () => {
  const all = targets.map((one) => ({ ...one, weight: 0 as const }));
  const [flow = { address: "203.0.113.1", port: 1 }] = flows;
  assert.equal(pick({ table: tableOf(all), targets: all }, flow, true), undefined);
  assert.equal(pick({ table: tableOf([]), targets: [] as Target[] }, flow, true), undefined);
});

const sharesOf = (...weights: number[]): number[] => {
  const counts = weights.map(() => 0);
  const table = tableOf(weights.map((weight, at) => target(at + 1, weight)));
  for (const number of table) counts[number] = (counts[number] ?? 0) + 1;
  return counts.map((count) => Math.round((100 * count) / SLOTS));
};

test("a target has its share by weight, down to one in 63", () => {
  assert.deepEqual(sharesOf(1, 3), [25, 75]);
  assert.deepEqual(sharesOf(2, 2, 4), [25, 25, 50]);
  assert.deepEqual(sharesOf(1, 63), sharesOf(1, 65_535));
});

test("one that drains keeps the place of its last weight", () => {
  const weighed = targets.map((one, at) => ({ ...one, weight: 1 + at }));
  const draining = weighed.map((one, at) => (at === 3 ? { ...one, weight: 0, lastWeight: 4 } : one));
  assert.deepEqual(tableOf(draining), tableOf(weighed));
});
