/** Checks in their time, over a clock that the test moves and endpoints that it lets answer or not. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "#test/fakes/clock.ts";
import { CHECK } from "#test/fakes/speaker-view.ts";
import { Checker, type CheckTarget, MOST_RUNNING } from "./checker.ts";

const target = (at: number, changes: Partial<CheckTarget["check"]> = {}): CheckTarget => {
  const check = { ...CHECK, ...changes };
  return { key: `${at} ${JSON.stringify(check)}`, address: `10.0.${at >> 8}.${at & 255}`, port: 80, check };
};

/** Endpoints answer at once, unless they hang: then after their timeout. */
function world(number = () => 0.999) {
  const clock = new FakeClock();
  const hung = new Set<string>();
  const changes: string[] = [];
  const begun: number[] = [];
  let mostRunning = 0;
  let running = 0;
  const checker = new Checker<CheckTarget>({
    clock,
    random: { number },
    probe: ({ address, check }, done) => {
      begun.push(clock.now());
      running += 1;
      mostRunning = Math.max(mostRunning, running);
      const isHung = hung.has(address);
      const cancel = clock.after(isHung ? check.timeoutMs : 1, () => {
        running -= 1;
        done(isHung ? "no answer" : undefined);
      });
      return () => {
        running -= 1;
        cancel();
      };
    },
    onChange: ({ address }, isFailing) =>
      void changes.push(`${clock.now()} ${address} ${isFailing ? "fails" : "is well"}`),
  });
  return { clock, hung, changes, begun, checker, most: () => mostRunning };
}

test("an endpoint that hangs is out within 1.5 s, whenever it begins to, and back after two that pass", async () => {
  for (let beginsAt = 0; beginsAt < 500; beginsAt += 50) {
    const { clock, hung, changes, checker } = world();
    checker.set([target(1)]);
    await clock.advance(2_000 + beginsAt);
    assert.deepEqual(changes, []);
    hung.add("10.0.0.1");
    const hungAt = clock.now();
    await clock.advance(1_500);
    const [at = "", ...said] = changes.join(" ").split(" ");
    assert.deepEqual(said, ["10.0.0.1", "fails"], `hung at ${hungAt}`);
    assert.ok(Number(at) - hungAt <= 1_350, `out after ${Number(at) - hungAt} ms`);
    hung.clear();
    await clock.advance(1_600);
    assert.match(changes.join(), /fails,[\d.]+ 10\.0\.0\.1 is well$/);
  }
});

test("nothing is done while there is nothing to check", async () => {
  const { clock, checker, begun } = world();
  checker.set([]);
  await clock.advance(10_000);
  assert.deepEqual([clock.pending, begun.length], [0, 0]);
  checker.set([target(1)]);
  checker.set([]);
  assert.equal(clock.pending, 0);
});

test("250 endpoints are checked 500 times a second, and never many at one moment", async () => {
  const { clock, checker, begun } = world(Math.random);
  checker.set(Array.from({ length: 250 }, (_, at) => target(at)));
  await clock.advance(1_000);
  const from = begun.length;
  await clock.advance(10_000);
  const rate = (begun.length - from) / 10;
  assert.ok(rate > 475 && rate <= 500, `${rate} a second`);
  const atOnce = Math.max(
    ...Map.groupBy(begun, (at) => at)
      .values()
      .map((list) => list.length),
  );
  assert.ok(atOnce <= 16, `${atOnce} at once`);
});

test("sockets are bounded, where all endpoints hang as well, and all of them are found out", async () => {
  const { clock, checker, hung, changes, most } = world();
  const targets = Array.from({ length: 2_000 }, (_, at) =>
    target(at, { intervalMs: 4_000, timeoutMs: 4_000 }),
  );
  for (const { address } of targets) hung.add(address);
  checker.set(targets);
  await clock.advance(60_000);
  assert.equal(changes.length, 2_000);
  assert.equal(most(), MOST_RUNNING);
  checker.set([]);
  assert.deepEqual([checker.running, clock.pending], [0, 0]);
});

test("what is known of an endpoint stays while others come and go; one that is not checked any more is well", async () => {
  const { clock, hung, changes, checker } = world();
  hung.add("10.0.0.1");
  checker.set([target(1), target(2)]);
  await clock.advance(3_000);
  checker.set([target(1), target(3)]);
  assert.deepEqual(
    [...checker.failing()].map(({ target, why }) => [target.address, why]),
    [["10.0.0.1", "no answer"]],
  );
  checker.set([target(3)]);
  assert.match(changes.at(-1) ?? "", /10\.0\.0\.1 is well$/);
  assert.equal(changes.length, 2);
});

test("with another check it begins anew, and is well until that one fails", async () => {
  const { clock, hung, changes, checker } = world();
  hung.add("10.0.0.1");
  checker.set([target(1)]);
  await clock.advance(3_000);
  checker.set([target(1, { path: "/other" })]);
  assert.match(changes.at(-1) ?? "", /is well$/);
  await clock.advance(3_000);
  assert.match(changes.at(-1) ?? "", /fails$/);
});
