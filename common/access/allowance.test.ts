import assert from "node:assert/strict";
import { test } from "node:test";
import { Allowance, networkOf } from "#common/access/allowance.ts";
import { FakeClock } from "#test/fakes/clock.ts";

function world() {
  const clock = new FakeClock();
  const allowance = new Allowance({
    clock,
    forOne: { burst: 3, perSecond: 1 },
    together: { burst: 5, perSecond: 2 },
  });
  const taken = (address: string, tries: number, isApart = false): number =>
    Array.from({ length: tries }, () => allowance.take(address, isApart)).filter(Boolean).length;
  return { clock, allowance, taken };
}

test("each address has a burst, then its share of time; all together have theirs", async () => {
  const { clock, taken } = world();
  assert.equal(taken("192.0.2.1", 100), 3);
  assert.equal(taken("192.0.2.2", 100), 2);
  assert.equal(taken("192.0.2.3", 100), 0);
  await clock.advance(1_000);
  assert.equal(taken("192.0.2.1", 100), 1);
  assert.equal(taken("192.0.2.3", 100), 1);
  await clock.advance(3_600_000);
  assert.equal(taken("192.0.2.1", 100), 3, "no more than a burst, however long nobody asked");
});

test("who is apart has his own share, whatever others ask", () => {
  const { taken } = world();
  for (let host = 1; host <= 100; host += 1) taken(`192.0.2.${host}`, 100);
  assert.equal(taken("198.51.100.1", 100), 0);
  assert.equal(taken("198.51.100.2", 100, true), 3);
});

test("what is kept is bounded, however many addresses ask", () => {
  const { allowance, taken } = world();
  for (let host = 0; host < 10_000; host += 1) taken(`10.0.${host >> 8}.${host & 255}`, 1);
  assert.equal(allowance.size, 512);
});

const NETWORKS: readonly [address: string, network: string][] = [
  ["192.0.2.1", "192.0.2.1"],
  ["::ffff:192.0.2.1", "192.0.2.1"],
  ["2001:db8:1:2:3:4:5:6", "20010db800010002::/64"],
  ["2001:db8:1:2:ffff::", "20010db800010002::/64"],
  ["fe80::1%eth0", "fe80000000000000::/64"],
  ["", ""],
];
for (const [address, network] of NETWORKS) {
  test(`${address} counts as ${network}`, () => assert.equal(networkOf(address), network));
}
