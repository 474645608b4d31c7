import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { WriteContests } from "#common/write-contest.ts";

const LIMITS = { free: 3, baseMs: 1_000, capMs: 300_000, calmMs: 60_000 };

/** Somebody who overwrites `stayMs` after each of our writes, until `endMs`: when we wrote. */
function fight(contests: WriteContests, stayMs: number, endMs: number): number[] {
  const times: number[] = [];
  for (let now = 0; now < endMs; ) {
    contests.wrote("a", "ours", now);
    times.push(now);
    now += stayMs;
    now += contests.waitMs("a", "ours", now);
  }
  return times;
}

describe("contests", () => {
  test("an overwriter is answered a few times at once, then after 1 s, 2 s, ... 5 min", () => {
    const times = fight(new WriteContests(LIMITS), 1, 3_600_000);
    const pauses = times.slice(1).map((at, index) => at - (times[index] ?? 0) - 1);
    assert.deepEqual(pauses.slice(0, 7), [0, 0, 0, 1_000, 2_000, 4_000, 8_000]);
    assert.equal(pauses.at(-1), 300_000);
    assert.ok(times.length < 25, `${times.length} writes in an hour`);
  });

  test("one that overwrites every two minutes is answered at once each time", () => {
    const times = fight(new WriteContests(LIMITS), 120_000, 3_600_000);
    assert.equal(times.length, 30);
  });

  test("a contest begins with the fourth overwrite, and is over when it stayed for long enough", () => {
    const contests = new WriteContests(LIMITS);
    let now = 0;
    for (let overwrite = 1; overwrite <= 4; overwrite += 1) {
      contests.wrote("a", "ours", now);
      assert.equal(contests.isContested("a", now), false);
      now += 1;
      const waitMs = contests.waitMs("a", "ours", now);
      assert.equal(waitMs, overwrite < 4 ? 0 : 1_000);
      assert.equal(contests.isContested("a", now), overwrite === 4);
      now += waitMs;
    }
    contests.wrote("a", "ours", now);
    assert.equal(contests.isContested("a", now), true);
    assert.equal(contests.calmInMs("a", now), 60_000);
    assert.equal(contests.isContested("a", now + 59_999), true);
    assert.equal(contests.isContested("a", now + 60_000), false);
    assert.equal(contests.calmInMs("a", now + 60_000), undefined);
    assert.equal(contests.waitMs("a", "ours", now + 60_001), 0, "what was calm is put right at once");
  });

  test("a change of our own is no contest", () => {
    const contests = new WriteContests(LIMITS);
    for (let at = 0; at < 100; at += 1) {
      assert.equal(contests.waitMs("a", `text ${at}`, at), 0);
      contests.wrote("a", `text ${at}`, at);
    }
    assert.equal(contests.isContested("a", 100), false);
  });

  test("a write that failed and comes again is no overwrite", () => {
    const contests = new WriteContests(LIMITS);
    for (let at = 0; at < 100; at += 1) assert.equal(contests.waitMs("a", "ours", at), 0);
    contests.wrote("a", "ours", 100);
    assert.equal(contests.isContested("a", 100), false);
  });

  test("an old view that said otherwise counts for nothing once it says what we want", () => {
    const contests = new WriteContests(LIMITS);
    for (let at = 0; at < 100; at += 1) {
      contests.wrote("a", "ours", at);
      assert.equal(contests.waitMs("a", "ours", at), 0);
      contests.stands("a");
    }
    assert.equal(contests.isContested("a", 100), false);
  });

  test("no more is remembered than allowed", () => {
    const contests = new WriteContests(LIMITS, 10);
    for (let at = 0; at < 1_000; at += 1) contests.wrote(`key ${at}`, "ours", at);
    assert.equal(contests.size, 10);
  });
});
