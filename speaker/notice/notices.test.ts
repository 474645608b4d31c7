import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { AGAIN_MS, MOST_IN_CALL, type Notice, Notices, type Outcome } from "./notices.ts";

const notice = (at: number, epoch = 1): Notice => ({ vip: `192.0.2.${at}`, epoch });
const many = (count: number, epoch = 1): Notice[] =>
  Array.from({ length: count }, (_, at) => notice(at, epoch));
const vips = (list: readonly Notice[]): string[] => list.map(({ vip }) => vip);

test("what is new is told at once, and again after some minutes", () => {
  const notices = new Notices();
  notices.set(many(2), 0);
  const told = notices.take(0);
  assert.deepEqual(vips(told), ["192.0.2.0", "192.0.2.1"]);
  assert.equal(notices.waiting, 2);
  notices.settle(told, "taken", 5, 0);
  assert.deepEqual([notices.waiting, notices.take(5), notices.dueAt()], [0, [], 5 + AGAIN_MS]);
  assert.equal(notices.take(5 + AGAIN_MS).length, 2);
});

test("only the newest of an address is told, and what is owned no more is not", () => {
  const notices = new Notices();
  notices.set(many(2), 0);
  const told = notices.take(0);
  notices.set([notice(1, 3)], 1);
  notices.settle(told, "taken", 2, 0);
  assert.deepEqual(notices.take(2), [notice(1, 3)]);
  notices.set([], 3);
  assert.deepEqual([notices.dueAt(), notices.waiting], [undefined, 0]);
});

test("the same epoch is not told again because something else of it changed", () => {
  const notices = new Notices<Notice & { node: string }>();
  notices.set([{ ...notice(1), node: "a" }], 0);
  notices.settle(notices.take(0), "taken", 0, 0);
  notices.set([{ ...notice(1), node: "b" }], 1);
  assert.deepEqual(notices.take(1), []);
});

test("a receiver that gives no answer is asked with pauses that grow up to ten seconds", () => {
  const notices = new Notices();
  notices.set(many(200), 0);
  let now = 0;
  const pauses: number[] = [];
  for (let turn = 0; turn < 7; turn += 1) {
    const told = notices.take(now);
    assert.equal(told.length, MOST_IN_CALL, "it falls apart into no single calls");
    notices.settle(told, "unreached", now, 1);
    assert.deepEqual(notices.take(now), []);
    const due = notices.dueAt() ?? 0;
    pauses.push(due - now);
    now = due;
  }
  assert.deepEqual(pauses, [500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
});

test("one address that the receiver refuses holds up no other one", () => {
  const notices = new Notices();
  notices.set(many(100), 0);
  let now = 0;
  const refused = "192.0.2.7";
  for (let calls = 0; notices.waiting > 1; calls += 1) {
    assert.ok(calls < 40, `${notices.waiting} wait after ${calls} calls`);
    const told = notices.take(now);
    notices.settle(told, vips(told).includes(refused) ? "refused" : "taken", now, 0.5);
    now = Math.max(now, notices.dueAt() ?? 0);
  }
  assert.ok(now < 5_000, `${now} ms`);
});

test("whatever is answered, all is told in the end, and nothing is told before it is due", () => {
  const outcomes = fc.array(fc.constantFrom<Outcome>("taken", "refused", "unreached"), { maxLength: 30 });
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 150 }),
      outcomes,
      fc.double({ min: 0, max: 1, noNaN: true }),
      (count, list, chance) => {
        const notices = new Notices();
        notices.set(many(count), 0);
        let now = 0;
        for (const outcome of [...list, ...Array.from({ length: 200 }, (): Outcome => "taken")]) {
          const due = notices.dueAt() ?? 0;
          if (due > now) assert.deepEqual(notices.take(due - 0.001), []);
          now = Math.max(now, due);
          const told = notices.take(now);
          assert.ok(told.length > 0 && told.length <= MOST_IN_CALL);
          notices.settle(told, outcome, now, chance);
        }
        assert.equal(notices.waiting, 0);
      },
    ),
    { numRuns: 50 },
  );
});
