import assert from "node:assert/strict";
import { test } from "node:test";
import { Pace } from "./pace.ts";

test("a peer that says little is never made to wait", () => {
  const pace = new Pace(0);
  for (let now = 0; now < 60_000; now += 1_000) assert.equal(pace.spend(now, now + 5), 0);
});

test("a peer that says as much as it can gets a tenth of one processor", () => {
  const pace = new Pace(0);
  let now = 0;
  let worked = 0;
  while (now < 60_000) {
    const rest = pace.spend(now, now + 3);
    worked += 3;
    now += 3 + rest;
  }
  assert.ok(worked > 5_500 && worked < 6_500, `${worked} ms of 60 s`);
});

test("one message that takes long is paid for before the next", () => {
  const pace = new Pace(0);
  const rest = pace.spend(0, 500);
  assert.ok(rest >= 2_500 && rest <= 3_100, `${rest} ms`);
  assert.ok(pace.spend(500 + rest, 500 + rest) <= 1);
});
