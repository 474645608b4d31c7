import assert from "node:assert/strict";
import { test } from "node:test";
import { describeLoad, isBusy, isStarved, type Load, loadBetween, parseLoad } from "#hack/common/load.ts";

const PRESSURE = "some avg10=4.36 avg60=10.52 avg300=16.10 total=474131811\nfull avg10=0.00 total=0\n";
const STAT = "cpu  100 5 50 700 20 1 4 0 0 0\ncpu0 50 2 25 350 10 0 2 0 0 0\n";

test("reads what the kernel counts", () => {
  assert.deepEqual(parseLoad({ pressure: PRESSURE, stat: STAT, loadavg: "0.43 0.16 0.06 1/95 4711\n" }), {
    waitedMs: 474131.811,
    busyTicks: 160,
    ticks: 880,
    loadAverage: 0.43,
  });
  assert.equal(parseLoad({ stat: STAT }).waitedMs, undefined);
});

test("compares two readings", () => {
  const before = { at: 1_000, waitedMs: 500, busyTicks: 100, ticks: 1_000, loadAverage: 1 };
  const after = { at: 3_000, waitedMs: 1_000, busyTicks: 200, ticks: 1_400, loadAverage: 1.5 };
  assert.deepEqual(loadBetween(before, after, 2), {
    waiting: 0.25,
    busy: 0.25,
    loadAverage: 1.5,
    processors: 2,
  });
  assert.equal(loadBetween({ ...before, waitedMs: undefined }, after, 2).waiting, undefined);
});

const cases: [name: string, load: Load, starved: boolean, busy: boolean][] = [
  ["idle", { waiting: 0.01, busy: 0.1, loadAverage: 0.2, processors: 2 }, false, false],
  ["busy, with little waiting", { waiting: 0.5, busy: 1, loadAverage: 2, processors: 2 }, false, true],
  [
    "some waiting while processors idle",
    { waiting: 0.2, busy: 0.5, loadAverage: 1, processors: 2 },
    false,
    false,
  ],
  ["four loops on two processors", { waiting: 1, busy: 1, loadAverage: 6, processors: 2 }, true, true],
  [
    "much waiting while a processor idles",
    { waiting: 0.9, busy: 0.6, loadAverage: 3, processors: 2 },
    false,
    true,
  ],
  [
    "no count of waiting, long queues",
    { waiting: undefined, busy: 1, loadAverage: 6, processors: 2 },
    true,
    true,
  ],
  [
    "no count of waiting, short ones",
    { waiting: undefined, busy: 1, loadAverage: 3, processors: 2 },
    false,
    true,
  ],
];
for (const [name, load, starved, busy] of cases) {
  test(`${name}: ${starved ? "starved" : "not starved"}, and said`, () => {
    assert.equal(isStarved(load), starved);
    assert.equal(describeLoad(load).includes("STARVED"), starved);
    assert.equal(isBusy(load), busy);
  });
}
