import assert from "node:assert/strict";
import { test } from "node:test";
import { parseAddress } from "#api/address.ts";
import { faultText } from "#api/v1beta1/fault.ts";
import type { AddressPool } from "#common/kube/resource.ts";
import { type JudgedPools, PoolJudge, settingsOf } from "#controller/allocation/configuration.ts";
import { planPoolStatus } from "#controller/status/pool-status.ts";

function pool(name: string, addresses: string[], createdAt = "2026-01-01T00:00:00Z"): AddressPool {
  return {
    metadata: {
      name,
      namespace: "genkan-system",
      uid: `uid-${name}`,
      resourceVersion: "1",
      creationTimestamp: createdAt,
    },
    spec: { protocol: "layer2", addresses },
  } as AddressPool;
}

const poolOf = (judged: JudgedPools, text: string): string | undefined => {
  const address = parseAddress(text);
  return address && judged.pools.poolOf(address.family, address.value)?.name;
};
const judge = (on: PoolJudge, ...pools: AddressPool[]): JudgedPools => on.judge(pools, () => undefined);
const words = (judged: JudgedPools, name: string): string =>
  (judged.faults.get(name) ?? []).map(faultText).join("\n");

test("pools that came in unjudged are judged oldest first, with the webhook's words", () => {
  const judged = judge(
    new PoolJudge("genkan-system"),
    pool("young", ["10.0.0.0/25"], "2026-02-01T00:00:00Z"),
    pool("old", ["10.0.0.0/24"]),
  );
  assert.equal(words(judged, "old"), "");
  assert.match(
    words(judged, "young"),
    /^spec\.addresses\[0\]: 10\.0\.0\.0\/25 overlaps 10\.0\.0\.0\/24 of AddressPool "old"$/,
  );
  assert.equal(judged.pools.get("young")?.isOpen, false);
});

test("an accepted pool stays when an older one is edited into it; the edited one goes on as it was", () => {
  const on = new PoolJudge("genkan-system");
  const young = pool("young", ["10.1.0.0/24"], "2026-02-01T00:00:00Z");
  judge(on, pool("old", ["10.0.0.0/24"]), young);
  const judged = judge(on, pool("old", ["10.0.0.0/24", "10.1.0.0/25"]), young);
  assert.equal(words(judged, "young"), "");
  assert.match(words(judged, "old"), /spec\.addresses\[1\]: 10\.1\.0\.0\/25 overlaps/);
  assert.equal(judged.pools.get("old")?.isOpen, true);
  assert.equal(poolOf(judged, "10.0.0.9"), "old");
  assert.equal(poolOf(judged, "10.1.0.9"), "young");
});

test("after a restart nothing is remembered: the refused pool is closed, and still known to have its addresses", () => {
  const judged = judge(new PoolJudge("genkan-system"), pool("a", ["10.0.0.0/24", "nonsense"]));
  assert.equal(judged.pools.get("a")?.isOpen, false);
  assert.equal(poolOf(judged, "10.0.0.9"), "a");
});

test("a pool that was made anew under its name is judged anew", () => {
  const on = new PoolJudge("genkan-system");
  judge(on, pool("a", ["10.0.0.0/24"]));
  const again = pool("a", ["nonsense"]);
  again.metadata.uid = "another";
  assert.equal(judge(on, again).pools.get("a")?.isOpen, false);
});

for (const [name, balancer, wanted] of [
  ["none", undefined, undefined],
  [
    "one with defaults",
    { spec: {} },
    { loadBalancerClass: undefined, ipMode: "Proxy", cleanupFinalizer: false },
  ],
  [
    "KubeProxy, a class and the finalizer",
    { spec: { loadBalancerClass: "x/y", forwarding: { mode: "KubeProxy" }, cleanupFinalizer: true } },
    { loadBalancerClass: "x/y", ipMode: "VIP", cleanupFinalizer: true },
  ],
  ["one that is being deleted", { spec: {}, deletionTimestamp: "2026-01-01T00:00:00Z" }, undefined],
] as const) {
  test(`settings of LoadBalancer: ${name}`, () => {
    const { deletionTimestamp, spec = {} } = (balancer ?? {}) as {
      deletionTimestamp?: string;
      spec?: object;
    };
    const metadata = {
      name: "loadbalancer",
      ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }),
    };
    assert.deepEqual(settingsOf(balancer && { metadata, spec }), wanted);
  });
}

test("a pool's status has counts within what JSON holds, and is written only when it changes", () => {
  const use = { assigned: { IPv4: 2n, IPv6: 0n }, available: { IPv4: 5n, IPv6: 2n ** 64n } };
  const object = pool("a", ["10.0.0.0/24"]);
  object.metadata.generation = 3;
  const facts = { pool: object as Parameters<typeof planPoolStatus>[1]["pool"], use, faults: [] };
  const status = planPoolStatus(undefined, facts, new Date("2026-11-21T00:00:00.000Z"));
  assert.deepEqual(status, {
    assignedIPv4: 2,
    assignedIPv6: 0,
    availableIPv4: 5,
    availableIPv6: Number.MAX_SAFE_INTEGER,
    observedGeneration: 3,
    conditions: ["Ready", "Valid"].map((type) => ({
      type,
      status: "True",
      reason: "Accepted",
      message: "",
      observedGeneration: 3,
      lastTransitionTime: "2026-11-21T00:00:00Z",
    })),
  });
  assert.equal(planPoolStatus(status, facts, new Date()), undefined);
  const refused = { ...facts, faults: [{ field: "spec.addresses[0]", message: "no" }] };
  assert.equal(
    planPoolStatus(status, refused, new Date())?.conditions?.[0]?.message,
    "spec.addresses[0]: no",
  );
});
