import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { causeOf, LogLimiter } from "#common/loglimit.ts";

const LIMITS = { records: 3, windowMs: 60_000, causes: 10 };

describe("log limits", () => {
  test("so many of one cause in a minute; what was left out is counted and said once", () => {
    const limiter = new LogLimiter<number>(LIMITS);
    const admitted = Array.from({ length: 1_000 }, (_, at) => limiter.admit("a", at, at)).filter(Boolean);
    assert.equal(admitted.length, 3);
    assert.deepEqual(limiter.over(59_999), []);
    assert.deepEqual(limiter.over(60_000), [{ example: 3, count: 997 }]);
    assert.deepEqual(limiter.over(60_000), []);
    assert.equal(limiter.admit("a", 0, 60_000), true);
  });

  test("another cause is not kept back", () => {
    const limiter = new LogLimiter<string>(LIMITS);
    for (let at = 0; at < 100; at += 1) limiter.admit("loud", "", at);
    assert.equal(limiter.admit("quiet", "", 100), true);
  });

  test("memory is bounded whatever comes, and nothing that was left out is lost in silence", () => {
    const limiter = new LogLimiter<string>(LIMITS);
    let told = 0;
    let admitted = 0;
    for (let at = 0; at < 5_000; at += 1) {
      for (let again = 0; again < 5; again += 1) {
        for (const { count } of limiter.over(1)) told += count;
        if (limiter.admit(`cause ${at}`, "", 1)) admitted += 1;
      }
      assert.ok(limiter.size <= LIMITS.causes);
    }
    for (const { count } of limiter.over(100_000)) told += count;
    assert.equal(told + admitted, 25_000);
  });

  const same: readonly (readonly [string, object, object, boolean])[] = [
    ["errors of many Services are one cause", { service: "a/b" }, { service: "a/c" }, true],
    [
      "changes of two Services are two",
      { event: "e", service: "a/b" },
      { event: "e", service: "a/c" },
      false,
    ],
    [
      "changes of one are one",
      { event: "e", service: "a/b", ip: "1" },
      { event: "e", service: "a/b", ip: "2" },
      true,
    ],
    ["two loops are two", { loop: "a" }, { loop: "b" }, false],
  ];
  for (const [name, left, right, isSame] of same) {
    test(name, () => {
      const cause = (fields: object) => causeOf("warn", "words", fields as Record<string, unknown>);
      assert.equal(cause(left) === cause(right), isSame);
    });
  }
});
