import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { limitTimers } from "./floor.ts";
import { jittered } from "./timing.ts";
import type { BfdTimers } from "./types.ts";

test("section 6.8.7: 75 to 100 % of the interval, 75 to 90 % with multiplier 1", () => {
  const rows: [multiplier: number, chance: number, expected: number][] = [
    [3, 0, 750],
    [3, 1, 1_000],
    [2, 0.5, 875],
    [1, 0, 750],
    [1, 1, 900],
  ];
  for (const [multiplier, chance, expected] of rows)
    assert.equal(jittered(1_000, multiplier, chance), expected);
});

const TIMERS: BfdTimers = {
  receiveIntervalMs: 50,
  transmitIntervalMs: 60,
  detectMultiplier: 3,
  echoMode: false,
  echoIntervalMs: 40,
  passive: false,
};
const NORMAL = { class: "normal", reason: "EPERM" } as const;

test("with real-time scheduling timers are as wanted", () => {
  assert.deepEqual(limitTimers(TIMERS, { class: "fifo" }, "raise"), { timers: TIMERS });
});

test("without it they are raised to what can be kept, or refused, and both is said", () => {
  const raised = limitTimers(TIMERS, NORMAL, "raise");
  assert.deepEqual(
    [raised.timers?.receiveIntervalMs, raised.timers?.transmitIntervalMs, raised.timers?.detectMultiplier],
    [350, 350, 3],
  );
  assert.match(raised.problem ?? "", /^raised: 50 ms x 3 cannot be kept .*EPERM.*350 ms x 3 is used/);
  const refused = limitTimers(TIMERS, NORMAL, "refuse");
  assert.equal(refused.timers, undefined);
  assert.match(refused.problem ?? "", /^refused: 50 ms x 3 .*350 ms/);
  const enough = { ...TIMERS, receiveIntervalMs: 350, transmitIntervalMs: 400 };
  assert.deepEqual(limitTimers(enough, NORMAL, "refuse"), { timers: enough });
});

test("whatever is wanted, what is used allows 700 ms of lateness; it is never made stricter", () => {
  const interval = fc.integer({ min: 10, max: 60_000 });
  fc.assert(
    fc.property(
      interval,
      interval,
      fc.integer({ min: 1, max: 255 }),
      (receiveIntervalMs, transmitIntervalMs, detectMultiplier) => {
        const wanted = { ...TIMERS, receiveIntervalMs, transmitIntervalMs, detectMultiplier };
        const { timers, problem } = limitTimers(wanted, NORMAL, "raise");
        assert.ok(timers !== undefined);
        for (const name of ["receiveIntervalMs", "transmitIntervalMs"] as const) {
          assert.ok(timers[name] * (timers.detectMultiplier - 1) >= 700);
          assert.ok(timers[name] >= wanted[name]);
        }
        assert.equal(problem === undefined, timers === wanted);
      },
    ),
  );
});
