import assert from "node:assert/strict";
import { test } from "node:test";
import { ReviewQueue } from "#controller/webhook/review-queue.ts";
import { FakeClock, settle } from "#test/fakes/clock.ts";

const always = (): boolean => true;

test("one after the other, the lightest of those that wait first", async () => {
  const reviews = new ReviewQueue(new FakeClock());
  const order: string[] = [];
  const take = (name: string, weight: number) => reviews.take(weight, always, () => order.push(name));
  await Promise.all([take("first", 9), take("large", 5), take("small", 1), take("small too", 1)]);
  assert.deepEqual(order, ["first", "small", "small too", "large"]);
});

test("after a long one the thread is left alone for as long", async () => {
  const clock = new FakeClock();
  const reviews = new ReviewQueue(clock);
  let done = 0;
  const work = (): void => {
    clock.advanceSync(300);
    done += 1;
  };
  const both = [reviews.take(1, always, work), reviews.take(1, always, work)];
  await both[0];
  await clock.advance(299);
  assert.equal(done, 1);
  await clock.advance(1);
  await both[1];
  assert.equal(done, 2);
});

test("what throws, and who is gone, stop nobody", async () => {
  const reviews = new ReviewQueue(new FakeClock());
  const failing = reviews.take(1, always, () => {
    throw new RangeError("too deep");
  });
  const gone = reviews.take(
    1,
    () => false,
    () => assert.fail("nobody waits for it"),
  );
  const last = reviews.take(1, always, () => "judged");
  await assert.rejects(failing, RangeError);
  assert.deepEqual([await gone, await last], [undefined, "judged"]);
  await settle();
  assert.equal(await reviews.take(1, always, () => "again"), "again");
});
