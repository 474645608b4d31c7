import assert from "node:assert/strict";
import { test } from "node:test";
import { Pools } from "./pools.ts";
import type { PoolView } from "./view.ts";

const pool = (name: string, ...addresses: string[]): PoolView => ({
  name,
  addresses,
  protocol: "layer2",
  nodeSelectors: [],
  interfaces: [],
  advertisements: [],
});

const POOLS = new Pools(
  [
    pool("web", "10.0.0.0/24", "fd00::/64"),
    pool("mail", "10.0.2.5-10.0.2.9", "10.0.1.0/32"),
    pool("odd", "10.0.3.0/33", "10.0.4.0"),
  ],
  [pool("old", "10.0.0.128/25", "10.9.0.0/16")],
);

for (const [vip, wanted] of [
  ["10.0.0.0", "web"],
  ["10.0.0.255", "web"],
  ["10.0.1.0", "mail"],
  ["10.0.1.1", undefined],
  ["10.0.2.4", undefined],
  ["10.0.2.5", "mail"],
  ["10.0.2.9", "mail"],
  ["10.0.2.10", undefined],
  ["fd00::1", "web"],
  ["fd00:0:0:1::", undefined],
  ["10.9.1.1", "old"],
  ["10.0.4.0", undefined],
  ["no address", undefined],
] as const)
  test(`${vip} is of ${wanted ?? "no pool"}, and is so when asked again`, () => {
    assert.equal(POOLS.of(vip)?.name, wanted);
    assert.equal(POOLS.of(vip)?.name, wanted);
  });

test("a pool that is there hides one of the same name that went", () => {
  const both = new Pools([pool("a", "10.0.0.0/24")], [pool("a", "10.1.0.0/24")]);
  assert.deepEqual(both.get("a")?.addresses, ["10.0.0.0/24"]);
  assert.equal(both.list().length, 1);
});
