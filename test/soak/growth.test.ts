import assert from "node:assert/strict";
import { test } from "node:test";
import { faultsOf, growthsOf, type Sample } from "./growth.ts";

const series = (count: string, values: readonly number[]): Sample[] =>
  values.map((value, at) => ({ at: at * 60_000, of: "speaker on node1", counts: { [count]: value } }));
const grown = (count: string, values: readonly number[]): boolean =>
  growthsOf(series(count, values)).some(({ hasGrown }) => hasGrown);

test("what fills in the warm-up has not grown; what goes on growing has", () => {
  const flat = [20, 50, 60, 70, 70, 71, 70, 72, 70, 71, 70, 72];
  assert.equal(grown("memory MiB", flat), false);
  assert.equal(grown("memory MiB", [20, 50, 60, 70, 72, 75, 78, 82, 86, 90, 95, 100]), true);
});

test("a little more of what comes and goes is none; each kind has its own measure", () => {
  assert.equal(grown("rules", [8, 8, 8, 8, 9, 8, 8, 8, 9, 9, 9, 9]), false);
  assert.equal(grown("rules", [8, 8, 8, 8, 9, 10, 11, 12, 13, 14, 15, 16]), true);
  assert.equal(grown("descriptors", [40, 40, 40, 40, 41, 42, 43, 44, 45, 46, 47, 48]), true);
  assert.equal(grown("log lines a minute", [5, 5, 5, 5, 5, 5, 5, 20, 20, 20, 20, 20]), false);
  assert.equal(grown("log lines a minute", [5, 5, 5, 5, 5, 5, 5, 99, 99, 99, 99, 99]), true);
});

test("a run is well when nothing failed, grew, ended or was left", () => {
  const well = { requests: 100, failed: 0, growths: [], restarts: 0, refused: [], left: [] };
  assert.deepEqual(faultsOf(well), []);
  assert.deepEqual(faultsOf({ ...well, requests: 0 }), ["no request was sent"]);
  const growths = growthsOf(series("rules", [1, 1, 1, 1, 30, 60, 90, 120]));
  assert.deepEqual(
    faultsOf({
      ...well,
      failed: 1,
      restarts: 2,
      refused: ["the pool: no"],
      growths,
      left: ["node1: a rule"],
    }),
    [
      "1 of 100 requests failed",
      "2 containers were started again",
      "1 writes were refused, the first: the pool: no",
      "speaker on node1: rules grew from 1.0 to 105.0",
      "left behind: node1: a rule",
    ],
  );
});
