/** A pool whose ranges hold addresses that the cluster itself uses. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { familyOf } from "#api/address.ts";
import { Reserved } from "#api/reserved.ts";
import { Allocator } from "#controller/allocation/allocator.ts";
import { compilePool, PoolSet, type PoolSpec } from "#controller/allocation/pool.ts";
import type { ServiceRecord } from "#controller/allocation/service.ts";
import { addressesOf, record } from "#controller/testing/records.ts";

function settle(
  spec: PoolSpec,
  reserved: Reserved,
  services: readonly ServiceRecord[],
  allocator = new Allocator(),
): Allocator {
  const pools = new PoolSet([compilePool("a", spec, true, reserved)], undefined, reserved);
  allocator.rebuild({ pools, loadBalancerClass: undefined }, services);
  return allocator;
}

const services = (count: number, more: Partial<ServiceRecord> = {}): ServiceRecord[] =>
  Array.from({ length: count }, (_, at) => record(`s${at}`, more));

const given = (allocator: Allocator): string[] =>
  [...allocator.outcomes()].flatMap(([, outcome]) => addressesOf(outcome)).sort();

test("addresses of Nodes, of the Service range and of Pod ranges are passed over", () => {
  const node = { addresses: ["node1", "10.0.0.0", "10.0.0.2"], podCIDRs: ["10.0.0.4/31"] };
  const reserved = new Reserved([node], ["10.0.0.6/32", "no range"]);
  const allocator = settle({ addresses: ["10.0.0.0/29"] }, reserved, services(5));
  assert.deepEqual(given(allocator), ["10.0.0.1", "10.0.0.3", "10.0.0.7"]);
  const [pool] = allocator.config.pools.list();
  assert.ok(pool !== undefined);
  assert.deepEqual(allocator.ledger.use(pool).available, { IPv4: 0n, IPv6: 0n });
});

test("asked for, they are refused with the reason", () => {
  const node = { addresses: ["10.0.0.0"], podCIDRs: ["fd00::4/127"] };
  const reserved = new Reserved([node], ["10.0.0.6/31"]);
  const asks = (loadBalancerIp: string): string | undefined => {
    const families = [familyOf(loadBalancerIp)];
    const spec = { addresses: ["10.0.0.0/29", "fd00::/124"] };
    const refusal = settle(spec, reserved, services(1, { loadBalancerIp, families })).outcome(
      "default/s0",
    )?.refusal;
    return refusal && `${refusal.reason}: ${refusal.message}`;
  };
  const words = (address: string, why: string): string =>
    `AddressReserved: spec.loadBalancerIP: ${address} refused: AddressPool "a" does not give it: ${why}`;
  assert.equal(asks("10.0.0.0"), words("10.0.0.0", "it is a Node's own address"));
  assert.equal(asks("10.0.0.7"), words("10.0.0.7", "it is in the cluster's Service range"));
  assert.equal(asks("fd00::5"), words("fd00::5", "it is in a Node's Pod range"));
  assert.equal(asks("10.0.0.1"), undefined);
});

test("a Node that comes and claims what is held takes it from nobody, running or after a restart", () => {
  const spec = { addresses: ["10.0.0.0/31"] };
  const before = settle(spec, new Reserved(), services(2));
  assert.deepEqual(given(before), ["10.0.0.0", "10.0.0.1"]);
  const claimed = new Reserved([{ addresses: ["10.0.0.0"], podCIDRs: [] }]);
  assert.deepEqual(given(settle(spec, claimed, services(2), before)), ["10.0.0.0", "10.0.0.1"]);
  const adopted = services(1, { ingress: [{ ip: "10.0.0.0" }] });
  assert.deepEqual(given(settle(spec, claimed, adopted)), ["10.0.0.0"]);
});

test("a Node that lies about itself reserves a few addresses and no pool", () => {
  const addresses = Array.from({ length: 256 }, (_, at) => `10.0.0.${at}`);
  const reserved = new Reserved([{ addresses, podCIDRs: ["10.0.0.0/8", "::/0"] }]);
  assert.deepEqual(given(settle({ addresses: ["10.0.0.0/24"] }, reserved, services(1))), ["10.0.0.32"]);
});
