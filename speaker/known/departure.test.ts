import assert from "node:assert/strict";
import { test } from "node:test";
import type { Node } from "#common/kube/resource.ts";
import { departureOf, endOnNode, handsOver } from "./departure.ts";
import { projectNode } from "./project.ts";

const metadata = { name: "n1", uid: "u", resourceVersion: "1", creationTimestamp: "2026-01-01T00:00:00Z" };
const node = (more: Partial<Node> = {}): Node => ({
  metadata,
  ...more,
});
const ready = (status: string, message: string): NonNullable<Node["status"]> => ({
  conditions: [
    { type: "MemoryPressure", status: "False", message: "node is shutting down" },
    { type: "Ready", status, message },
  ],
});
const taint = (key: string): NonNullable<Node["spec"]> => ({ taints: [{ key, effect: "NoSchedule" }] });

const cases: readonly [what: string, given: Node, expected: "Cordoned" | "Removed" | undefined][] = [
  ["one that stays", node({ status: ready("True", "kubelet is posting ready status") }), undefined],
  ["one that is only not ready", node({ status: ready("False", "container runtime is down") }), undefined],
  ["one with a taint of its users", node({ spec: taint("dedicated") }), undefined],
  ["cordoned, as a drain begins", node({ spec: { unschedulable: true } }), "Cordoned"],
  ["whose kubelet shuts down", node({ status: ready("False", "node is shutting down") }), "Removed"],
  [
    "cordoned and shutting down",
    node({ spec: { unschedulable: true }, status: ready("False", "node is shutting down") }),
    "Removed",
  ],
  ["out of service", node({ spec: taint("node.kubernetes.io/out-of-service") }), "Removed"],
  ["shut down at its cloud", node({ spec: taint("node.cloudprovider.kubernetes.io/shutdown") }), "Removed"],
  ["that an autoscaler takes away", node({ spec: taint("ToBeDeletedByClusterAutoscaler") }), "Removed"],
  ["that Karpenter takes away", node({ spec: taint("karpenter.sh/disrupted") }), "Removed"],
  [
    "that is deleted",
    node({
      metadata: { ...metadata, deletionTimestamp: "2026-01-02T00:00:00Z" },
    }),
    "Removed",
  ],
];
for (const [what, given, expected] of cases) {
  test(`a node ${what}: ${expected ?? "it stays"}`, () => {
    assert.equal(departureOf(given), expected);
    assert.equal(endOnNode(projectNode(given)), expected === undefined ? "restart" : "leave");
  });
}

test("a node that is not known stays: a watch that lags behind ends no session for good", () => {
  assert.equal(endOnNode(undefined), "restart");
});

for (const [drain, expected] of [
  ["Cordon", [true, true, true]],
  ["Taint", [false, true, true]],
  ["None", [false, false, false]],
] as const) {
  test(`drain ${drain}: which nodes hand their layer 2 addresses over`, () => {
    const own = node({ spec: taint("example.com/leave") });
    const removed = node({ spec: taint("karpenter.sh/disrupted") });
    const nodes = [node({ spec: { unschedulable: true } }), removed, own, node({ spec: taint("dedicated") })];
    assert.deepEqual(
      nodes.map((one) => handsOver(projectNode(one), { drain, drainTaints: ["example.com/leave"] })),
      [...expected, false],
    );
  });
}
