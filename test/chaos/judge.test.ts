import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type Done, judge, type Seen, spansOf } from "./judge.ts";
import { page, summaryOf } from "./report.ts";

const VIP = "172.30.8.200";
/** Answers every 100 ms from `from` to `to`. */
const answers = (hardware: string, from: number, to: number) =>
  Array.from({ length: (to - from) / 100 + 1 }, (_, at) => ({ vip: VIP, hardware, at: from + at * 100 }));
const request = (at: number, isAnswered = true) => ({ vip: VIP, at, isAnswered, took: 10 });
const WELL: Seen = {
  ...{ from: 0, to: 60_000, vips: [VIP], onWire: [VIP], answers: answers("a", 0, 60_000) },
  ...{ requests: [request(100)], losses: [], twice: [] },
};
const fault = (changes: Partial<Done> = {}): Done => ({
  ...{ what: "a fault", from: 20_000, to: 25_000, isLossless: false, takesPods: false },
  ...changes,
});
const found = (seen: Partial<Seen>, ...faults: Done[]): string[] =>
  judge({ ...WELL, ...seen }, faults).map(({ promise, what }) => `${promise}: ${what}`);

test("where all is well, nothing is found", () => {
  assert.deepEqual(found({}), []);
  assert.deepEqual(found({}, fault()), []);
});

describe("on the wire", () => {
  test("spans: answers of one station that are close together", () => {
    const list = [...answers("a", 0, 500), ...answers("b", 400, 900), ...answers("a", 5_000, 5_200)];
    assert.deepEqual(
      spansOf(list).map(({ hardware, from, to }) => [hardware, from, to]),
      [
        ["a", 0, 500],
        ["b", 400, 900],
        ["a", 5_000, 5_200],
      ],
    );
  });

  test("two may answer for two seconds, and no longer", () => {
    const both = (ms: number) => [...answers("a", 0, 30_000 + ms), ...answers("b", 30_000, 60_000)];
    assert.deepEqual(found({ answers: both(1_900) }), []);
    assert.deepEqual(found({ answers: both(2_500) }), [`two: a and b both answered for ${VIP} for 2500 ms`]);
  });

  test("nobody may answer for ten seconds, also at the end", () => {
    const gap = (ms: number) => [...answers("a", 0, 30_000), ...answers("b", 30_000 + ms, 60_000)];
    assert.deepEqual(found({ answers: gap(10_000) }), []);
    assert.deepEqual(found({ answers: gap(11_000) }), [`none: nobody answered for ${VIP} for 11000 ms`]);
    assert.deepEqual(found({ answers: answers("a", 0, 40_000) }), [
      `none: nobody answered for ${VIP} for 20000 ms`,
    ]);
    assert.equal(found({ answers: [] }).length, 1);
  });

  test("a starved machine gets more time", () => {
    const starved = fault({ starvation: "busy" });
    const late = [...answers("a", 0, 30_000), ...answers("b", 50_000, 60_000)];
    assert.deepEqual(found({ answers: late }, starved), []);
    assert.equal(found({ answers: late }, fault()).length, 1);
  });
});

test("an address that a router is told of is not looked for on the wire", () => {
  assert.deepEqual(found({ answers: [], onWire: [] }), []);
});

describe("requests", () => {
  const failed = (...at: number[]) => ({ requests: at.map((one) => request(one, false)) });

  test("may fail until ten seconds after a fault's end", () => {
    assert.deepEqual(found(failed(20_100, 34_900), fault()), []);
    assert.match(
      found(failed(20_100, 36_000), fault()).join(),
      /converged: 2 requests .* 11\.0 s after its end/,
    );
  });

  test("may not fail before any fault, nor by one that costs nothing", () => {
    assert.match(found(failed(5_000), fault()).join(), /before any fault/);
    assert.match(found(failed(20_100), fault({ isLossless: true })).join(), /^request: 1 requests/);
    const other = fault({ what: "another", from: 18_000, to: 19_000 });
    assert.deepEqual(found(failed(20_100), other, fault({ isLossless: true })), []);
  });
});

test("connections may be lost with a fault that takes pods away, and with no other", () => {
  const losses = [{ flow: "1", at: 21_000, error: "ECONNRESET" }];
  assert.deepEqual(found({ losses }, fault({ takesPods: true })), []);
  assert.deepEqual(found({ losses }, fault()), ["flow: connection 1 was lost: ECONNRESET"]);
  assert.deepEqual(found({ losses }), ["flow: connection 1 was lost: ECONNRESET"]);
});

test("an address of two Services is found, and each breach names its fault", () => {
  const [breach] = judge({ ...WELL, twice: [{ what: "x is of a and b", at: 21_000 }] }, [fault()]);
  assert.deepEqual([breach?.promise, breach?.fault], ["twice", "a fault"]);
});

test("a fault that could not be done is one", () => {
  assert.deepEqual(found({}, fault({ error: "no such node" })), ["done: not done: no such node"]);
});

test("the page has the faults, what they cost and what was broken", () => {
  const seen = { ...WELL, requests: [request(100), request(21_000, false), request(36_000, false)] };
  const faults = [fault()];
  const breaches = judge(seen, faults);
  const story = {
    ...{
      seed: 3,
      minutes: 1,
      mode: "IPVS",
      date: "2026-01-02",
      machine: "a machine",
      faults,
      breaches,
      seen,
    },
    ...{ opened: 4, left: [] },
  };
  assert.deepEqual(summaryOf(story), {
    ...{ faults: 1, breaches: 1, requests: 3, failed: 2, connections: 4, lost: 0 },
    ...{ longestSilenceMs: 0, longestTwoMs: 0, left: 0 },
  });
  const text = page(story);
  assert.match(text, /SEED=3 MINUTES=1 MODE=IPVS make chaos/);
  assert.match(text, /\| 20 \| a fault \| 5\.0 \| 2 \| 11\.0 \| 2 requests to/);
  assert.match(text, /1 promises were broken/);
});
