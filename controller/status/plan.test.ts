import assert from "node:assert/strict";
import { test } from "node:test";
import { FORWARDING_CONDITION, forwardingCondition } from "#api/forwarding-ids.ts";
import { ANNOTATION_ALLOCATED_FROM } from "#api/names.ts";
import { Allocator } from "#controller/allocation/allocator.ts";
import type { ServiceRecord } from "#controller/allocation/service.ts";
import { type PlanContext, planStatus, SERVICE_CONDITION, type StatusPlan } from "#controller/status/plan.ts";
import { DUAL, given, poolSet, record, written } from "#controller/testing/records.ts";

const NOW = new Date("2026-11-21T00:00:00Z");
const CONTEXT: PlanContext = { ipMode: "Proxy", now: NOW, isOurAddress: (text) => text.startsWith("10.") };
const POOLS = { a: ["10.0.0.0/31", "fd00::/127"] };

function settled(service: ServiceRecord, pools: Parameters<typeof poolSet>[0] = POOLS): Allocator {
  const allocator = new Allocator();
  allocator.rebuild({ pools: poolSet(pools), loadBalancerClass: undefined }, [service]);
  return allocator;
}

function planned(
  service: ServiceRecord,
  pools: Parameters<typeof poolSet>[0] = POOLS,
): StatusPlan | undefined {
  return planStatus(service, settled(service, pools).outcome(service.key), CONTEXT);
}

test("a new address: status, ipMode, ids, the pool for people and one event in one patch with the version that was seen", () => {
  const plan = planned(
    record("s", { families: DUAL, familyPolicy: "RequireDualStack", resourceVersion: "7" }),
  );
  assert.deepEqual(plan?.patch, {
    metadata: {
      resourceVersion: "7",
      annotations: { [ANNOTATION_ALLOCATED_FROM]: "a" },
    },
    status: {
      loadBalancer: {
        ingress: [
          { ip: "10.0.0.0", ipMode: "Proxy" },
          { ip: "fd00::", ipMode: "Proxy" },
        ],
      },
      conditions: [
        {
          ...forwardingCondition(["a"], { "IPv4/TCP/80": 1, "IPv6/TCP/80": 2 }),
          lastTransitionTime: "2026-11-21T00:00:00Z",
        },
      ],
    },
  });
  assert.deepEqual(plan?.events, [
    { type: "Normal", reason: "IPAllocated", message: 'Assigned 10.0.0.0 and fd00:: from AddressPool "a"' },
  ]);
});

test("what was written once is not written again, and says nothing", () => {
  const service = record("s");
  const allocator = settled(service);
  const after = written(service, allocator.outcome(service.key));
  assert.equal(planStatus(after, allocator.outcome(service.key), CONTEXT), undefined);
});

test("another ipMode is written without an event", () => {
  const service = record("s");
  const allocator = settled(service);
  const outcome = allocator.outcome(service.key);
  const plan = planStatus(written(service, outcome), outcome, { ...CONTEXT, ipMode: "VIP" });
  assert.deepEqual(plan?.patch.status, { loadBalancer: { ingress: [{ ip: "10.0.0.0", ipMode: "VIP" }] } });
  assert.deepEqual(plan?.events, []);
});

test("only an address that kube-proxy forwards stays with it; another one of the same Service does not", () => {
  const service = record("s", {
    families: DUAL,
    familyPolicy: "RequireDualStack",
    ingress: [{ ip: "10.0.0.1", ipMode: "VIP" }],
  });
  const outcome = settled(service).outcome(service.key);
  const plan = planStatus(service, outcome, { ...CONTEXT, staysWithKubeProxy: true });
  assert.deepEqual(plan?.patch.status?.loadBalancer?.ingress, [
    { ip: "10.0.0.1", ipMode: "VIP" },
    { ip: "fd00::", ipMode: "Proxy" },
  ]);
});

test("a refusal becomes a condition and one event, beside the conditions of others; the same again becomes nothing", () => {
  const foreign = {
    type: "Ready",
    status: "True",
    reason: "R",
    message: "",
    lastTransitionTime: "2026-01-01T00:00:00Z",
  } as const;
  const service = record("s", { conditions: [foreign] });
  const plan = planned(service, {});
  const wanted = {
    type: SERVICE_CONDITION,
    status: "False",
    reason: "NoMatchingPool",
    message: "there is no AddressPool",
    lastTransitionTime: "2026-11-21T00:00:00Z",
  } as const;
  assert.deepEqual(plan?.patch, {
    metadata: { resourceVersion: "1" },
    status: { conditions: [foreign, wanted] },
  });
  assert.deepEqual(plan.events, [
    { type: "Warning", reason: "AllocationFailed", message: "NoMatchingPool: there is no AddressPool" },
  ]);
  assert.equal(planned({ ...service, conditions: [foreign, wanted] }, {}), undefined);
  const relieved = planned({ ...service, conditions: [foreign, wanted] });
  assert.deepEqual(
    relieved?.patch.status?.conditions?.map(({ type }) => type),
    [foreign.type, FORWARDING_CONDITION],
  );
});

test("an address that may not be kept goes with the reason", () => {
  const plan = planned(record("s", { ingress: [{ ip: "10.9.9.9" }] }));
  assert.deepEqual(plan?.events[0], {
    type: "Warning",
    reason: "IPReleased",
    message: "10.9.9.9 is no longer this Service's address: 10.9.9.9 is in no AddressPool",
  });
  assert.deepEqual(plan?.patch.status?.loadBalancer?.ingress, [{ ip: "10.0.0.0", ipMode: "Proxy" }]);
});

test("an address goes as Normal where the Service itself asks for another one", () => {
  const ingress = [{ ip: "10.0.0.1" }];
  const plan = planned(record("s", { ingress, loadBalancerIp: "10.0.0.0" }));
  assert.deepEqual(
    plan?.events.map(({ type, reason }) => `${type} ${reason}`),
    ["Normal IPReleased", "Normal IPAllocated"],
  );
  assert.match(
    plan?.events[0]?.message ?? "",
    /^10\.0\.0\.1 is no longer this Service's address: .*10\.0\.0\.0/,
  );
});

const MARKED = { annotations: { [ANNOTATION_ALLOCATED_FROM]: "a" }, conditions: [given(["a"], {})] };

test("a Service that is no longer a load balancer is cleared", () => {
  const service = record("s", { type: "ClusterIP", ...MARKED, ingress: [{ ip: "10.0.0.0" }] });
  assert.deepEqual(planStatus(service, undefined, CONTEXT)?.patch, {
    metadata: {
      resourceVersion: "1",
      annotations: { [ANNOTATION_ALLOCATED_FROM]: null },
    },
    status: { loadBalancer: { ingress: null }, conditions: [] },
  });
});

for (const [name, service, isTouched] of [
  ["unmarked", record("s", { loadBalancerClass: "x/y", ingress: [{ ip: "10.0.0.0" }] }), false],
  [
    "marked, with our address",
    record("s", { loadBalancerClass: "x/y", ...MARKED, ingress: [{ ip: "10.0.0.0" }] }),
    true,
  ],
  [
    "marked by copying, with their address",
    record("s", { loadBalancerClass: "x/y", ...MARKED, ingress: [{ ip: "192.0.2.1" }] }),
    false,
  ],
  ["marked by copying, with none yet", record("s", { loadBalancerClass: "x/y", ...MARKED }), false],
] as const) {
  test(`a Service of another class, ${name}, is ${isTouched ? "cleared" : "left alone"}`, () => {
    assert.equal(planStatus(service, undefined, CONTEXT) !== undefined, isTouched);
  });
}
