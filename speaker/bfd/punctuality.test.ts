import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Punctuality } from "./punctuality.ts";

const MINUTE = 60_000;

/** What is allowed after twenty minutes with these latenesses, one a minute, the last ones last. */
function after(...latest: readonly number[]): number {
  const punctuality = new Punctuality(0);
  const minutes = [...Array<number>(20 - latest.length).fill(1), ...latest];
  for (const [minute, late] of minutes.entries()) punctuality.note(late, minute * MINUTE + 1);
  return punctuality.allowance(20 * MINUTE - 1);
}

test("four times the worst of ten minutes is allowed, in steps, never less than 300 ms and never more than 700", () => {
  const cases: readonly (readonly [number, readonly number[]])[] = [
    [300, []],
    [300, [75]],
    [400, [76]],
    [400, [100, ...Array<number>(9).fill(1)]],
    [300, [100, ...Array<number>(10).fill(1)]],
    [600, [20, 101, 130, 5, 150]],
    [700, [175]],
    [700, [5_000]],
  ];
  for (const [allowed, latest] of cases) assert.equal(after(...latest), allowed, latest.join());
});

test("before ten minutes are over nothing is known, and 700 ms are allowed", () => {
  const punctuality = new Punctuality(0);
  for (let minute = 0; minute < 10; minute += 1) {
    punctuality.note(1, minute * MINUTE);
    assert.equal(punctuality.allowance(minute * MINUTE), 700);
  }
  assert.equal(punctuality.allowance(10 * MINUTE), 300);
});

test("whatever comes how late, three times what was seen in the last minutes is allowed for, as far as 700 ms go", () => {
  const lates = fc.array(fc.tuple(fc.nat(20_000), fc.nat(400)), { maxLength: 400 });
  fc.assert(
    fc.property(lates, (wakeups) => {
      const punctuality = new Punctuality(0);
      let now = 0;
      const seen: { at: number; late: number }[] = [];
      for (const [gap, late] of wakeups) {
        now += gap;
        punctuality.note(late, now);
        seen.push({ at: now, late });
        const recent = seen.filter(({ at }) => at > now - 9 * MINUTE).map((one) => one.late);
        assert.ok(punctuality.allowance(now) >= Math.min(700, 3 * Math.max(...recent)));
      }
    }),
  );
});
