import assert from "node:assert/strict";
import { test } from "node:test";
import { type Plan, planOperator } from "#operator/plan.ts";
import type { OperatorView } from "#operator/view.ts";
import {
  balancer,
  lease,
  pod,
  secondsAgo,
  settledChildren,
  speaker,
  view,
} from "#test/fakes/operator-view.ts";

const applied = (plan: Plan): string[] =>
  plan.apply.map(({ child, why }) => `${child.resource.kind} ${child.object.metadata.name}: ${why}`);
const removed = (plan: Plan): string[] => plan.remove.map(({ resource, name }) => `${resource.kind} ${name}`);
const leaving = (seconds: number): ReturnType<typeof balancer> =>
  balancer({ deletionTimestamp: secondsAgo(seconds) });

test("a settled installation needs nothing", () => {
  const plan = planOperator(view());
  assert.deepEqual([applied(plan), removed(plan), plan.finalizer], [[], [], undefined]);
});

test("an empty cluster gets everything but the webhooks, rights first", () => {
  const plan = planOperator(view({ children: [], loadBalancer: balancer({ finalizers: [] }) }));
  assert.equal(plan.finalizer, "add");
  const kinds = plan.apply.map(({ child }) => child.resource.kind);
  assert.ok(!kinds.includes("ValidatingWebhookConfiguration"));
  assert.ok(kinds.indexOf("ServiceAccount") < kinds.indexOf("Deployment"));
  assert.ok(kinds.indexOf("Secret") < kinds.indexOf("Deployment"));
  assert.ok(kinds.indexOf("ValidatingAdmissionPolicyBinding") < kinds.indexOf("RoleBinding"));
  assert.equal(kinds.length, 27);
});

test("what differs, what somebody put something in and what is left over is told apart", () => {
  const children = settledChildren().map((child) =>
    child.object.metadata.name === "genkan-webhook" ? { ...child, strangers: ["kubectl-edit"] } : child,
  );
  const [first] = children;
  assert.ok(first !== undefined);
  const object = { ...first.object, metadata: { ...first.object.metadata, name: "of-an-older-version" } };
  const plan = planOperator(
    view({
      children: [...children, { ...first, object }],
      loadBalancer: balancer({}, { logLevel: "debug" }),
    }),
  );
  const names = applied(plan);
  assert.equal(names.length, 3);
  assert.match(names[0] ?? "", /^Service genkan-webhook: changed by kubectl-edit/);
  assert.match(names[1] ?? "", /^Deployment controller: .*differs$/);
  assert.match(names[2] ?? "", /^DaemonSet speaker: .*differs$/);
  assert.deepEqual(removed(plan), ["ValidatingAdmissionPolicy of-an-older-version"]);
});

test("webhooks stay for a minute without a controller, then go, and never block the repair", () => {
  const without = (seconds: number): OperatorView => {
    const conditions = [{ type: "Available", status: "False", lastTransitionTime: secondsAgo(seconds) }];
    return view({ children: settledChildren({ deployment: { availableReplicas: 0, conditions } }) });
  };
  const webhooks = ["ValidatingWebhookConfiguration genkan-validating-webhook"];
  assert.deepEqual(removed(planOperator(without(30))), []);
  assert.ok((planOperator(without(30)).retryAfterMs ?? 0) > 0);
  assert.deepEqual(removed(planOperator(without(61))), webhooks);
});

test("reports of speakers that are no more go, those of speakers that work stay", () => {
  const plan = planOperator(
    view({
      speakers: [
        speaker("node1", "Removed", "False"),
        speaker("node2", "Removed", "True"),
        speaker("node3", "Removed", "True"),
        speaker("gone", "Removed", "False"),
      ],
      pods: [pod("node1"), pod("node3")],
    }),
  );
  assert.deepEqual(removed(plan), [
    "SpeakerStatus node2",
    "Lease speaker-node2",
    "SpeakerStatus gone",
    "Lease speaker-gone",
  ]);
});

const WEBHOOKS = "ValidatingWebhookConfiguration genkan-validating-webhook";
const cases: readonly {
  readonly name: string;
  readonly view: Partial<OperatorView>;
  readonly removed: readonly string[] | "the rest";
  readonly waiting: RegExp;
  readonly left?: readonly string[];
}[] = [
  {
    name: "live speakers are waited for, however long, in their own words",
    view: {
      loadBalancer: leaving(600),
      speakers: [
        speaker("node1", "Removed", "True"),
        speaker("node2", "Removed", "False", "NotRemoved", "busy"),
      ],
      leases: [lease("node1", true), lease("node2", true)],
    },
    removed: [WEBHOOKS],
    waiting: /clean their nodes: node2 \(busy\)$/,
  },
  {
    name: "a dead one is waited for within its minute",
    view: { loadBalancer: leaving(30), speakers: [speaker("node2")], leases: [lease("node2", false)] },
    removed: [WEBHOOKS],
    waiting: /no life, 30 s longer at most: node2$/,
  },
  {
    name: "and left after it",
    view: { loadBalancer: leaving(61), speakers: [speaker("node2")], leases: [lease("node2", false)] },
    removed: [WEBHOOKS, "DaemonSet speaker"],
    waiting: /pods to end/,
    left: ["node2"],
  },
  {
    name: "a pod without a report is waited for too",
    view: { loadBalancer: leaving(1), pods: [pod("node3")] },
    removed: [WEBHOOKS],
    waiting: /node3$/,
  },
  {
    name: "a node that left the cluster is not",
    view: { loadBalancer: leaving(1), speakers: [speaker("gone")], leases: [lease("gone", false)] },
    removed: [WEBHOOKS, "DaemonSet speaker"],
    waiting: /pods to end/,
  },
  {
    name: "pods end before their rights go",
    view: {
      loadBalancer: leaving(5),
      children: settledChildren().filter(({ resource }) => resource.kind !== "DaemonSet"),
      pods: [pod("node1", { goneBy: secondsAgo(10) })],
    },
    removed: [WEBHOOKS],
    waiting: /pods to end: node1$/,
  },
  {
    name: "but not for ever",
    view: {
      loadBalancer: leaving(5),
      children: settledChildren().filter(({ resource }) => resource.kind !== "DaemonSet"),
      pods: [pod("node1", { goneBy: secondsAgo(16) })],
    },
    removed: "the rest",
    waiting: /last objects/,
  },
  {
    name: "without a LoadBalancer nobody reports",
    view: { loadBalancer: undefined, speakers: [speaker("node1")], leases: [lease("node1", true)] },
    removed: [WEBHOOKS, "DaemonSet speaker"],
    waiting: /pods to end/,
  },
];

for (const expected of cases) {
  test(`removal: ${expected.name}`, () => {
    const plan = planOperator(view(expected.view));
    if (expected.removed === "the rest") assert.ok(removed(plan).length > 10);
    else assert.deepEqual(removed(plan), expected.removed);
    assert.match(plan.waiting, expected.waiting);
    assert.deepEqual(plan.left, expected.left ?? []);
    assert.deepEqual([plan.finalizer, plan.apply], [undefined, []]);
    assert.ok((plan.retryAfterMs ?? 0) > 0);
  });
}

test("removal: the finalizer goes when nothing is left, and is no business of ours afterwards", () => {
  const done = planOperator(view({ loadBalancer: leaving(9), children: [] }));
  assert.equal(done.finalizer, "remove");
  const others = balancer({ deletionTimestamp: secondsAgo(9), finalizers: ["somebody/else"] });
  const after = planOperator(view({ loadBalancer: others, children: [] }));
  assert.deepEqual([after.finalizer, after.apply, after.remove], [undefined, [], []]);
  const absent = planOperator(view({ loadBalancer: undefined, children: [] }));
  assert.deepEqual([absent.finalizer, absent.remove], [undefined, []]);
});
