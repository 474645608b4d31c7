import assert from "node:assert/strict";
import { test } from "node:test";
import type { Node } from "#common/kube/resource.ts";
import { endOnNode, isGoing } from "./departure.ts";
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

const cases: readonly [what: string, given: Node, expected: boolean][] = [
  ["one that stays", node({ status: ready("True", "kubelet is posting ready status") }), false],
  ["one that is only not ready", node({ status: ready("False", "container runtime is down") }), false],
  ["one with a taint of its users", node({ spec: taint("dedicated") }), false],
  ["cordoned, as a drain begins", node({ spec: { unschedulable: true } }), true],
  ["whose kubelet shuts down", node({ status: ready("False", "node is shutting down") }), true],
  ["out of service", node({ spec: taint("node.kubernetes.io/out-of-service") }), true],
  ["shut down at its cloud", node({ spec: taint("node.cloudprovider.kubernetes.io/shutdown") }), true],
  ["that an autoscaler takes away", node({ spec: taint("ToBeDeletedByClusterAutoscaler") }), true],
  ["that Karpenter takes away", node({ spec: taint("karpenter.sh/disrupted") }), true],
  [
    "that is deleted",
    node({
      metadata: { ...metadata, deletionTimestamp: "2026-01-02T00:00:00Z" },
    }),
    true,
  ],
];
for (const [what, given, expected] of cases) {
  test(`a node ${what} ${expected ? "goes" : "stays"}`, () => {
    assert.equal(isGoing(given), expected);
    assert.equal(endOnNode(projectNode(given)), expected ? "leave" : "restart");
  });
}

test("a node that is not known stays: a watch that lags behind ends no session for good", () => {
  assert.equal(endOnNode(undefined), "restart");
});
