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
  assert.deepEqual([applied(plan), removed(plan), plan.hasFinalizer], [[], [], false]);
});

test("an empty cluster gets everything but the webhooks, rights first", () => {
  const plan = planOperator(view({ children: [] }));
  const kinds = plan.apply.map(({ child }) => child.resource.kind);
  assert.ok(!kinds.includes("ValidatingWebhookConfiguration"));
  assert.ok(kinds.indexOf("ServiceAccount") < kinds.indexOf("Deployment"));
  assert.ok(kinds.indexOf("Secret") < kinds.indexOf("Deployment"));
  assert.ok(kinds.indexOf("ValidatingAdmissionPolicyBinding") < kinds.indexOf("RoleBinding"));
  assert.equal(kinds.length, 28);
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
      loadBalancer: balancer({}, { imagePullSecrets: [{ name: "registry" }] }),
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
  // Since hours, in the Deployment's words: it says so since the first of two replicas went.
  const conditions = [{ type: "Available", status: "False", lastTransitionTime: secondsAgo(9_999) }];
  const children = settledChildren({ deployment: { availableReplicas: 0, conditions } });
  const without = (seconds: number): OperatorView =>
    view({ children, withoutControllersMs: seconds * 1_000 });
  const webhooks = ["ValidatingWebhookConfiguration genkan-validating-webhook"];
  assert.deepEqual(removed(planOperator(without(30))), []);
  assert.ok((planOperator(without(30)).retryAfterMs ?? 0) > 0);
  assert.deepEqual(removed(planOperator(without(60))), webhooks);
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
const WORKLOADS = ["Deployment controller", "DaemonSet speaker"];
const FOREGROUND = { deletionTimestamp: secondsAgo(1), finalizers: ["foregroundDeletion"] };
const withoutWorkloads = settledChildren().filter(
  ({ resource }) => !["DaemonSet", "Deployment"].includes(resource.kind),
);
const cases: readonly {
  readonly name: string;
  readonly view: Partial<OperatorView>;
  readonly removed: readonly string[] | "the rest";
  readonly waiting: RegExp;
  readonly left?: readonly string[];
}[] = [
  {
    name: "webhooks and workloads go at once, and pods are waited for in their speakers' own words",
    view: {
      loadBalancer: undefined,
      speakers: [
        speaker("node1", "Removed", "True"),
        speaker("node2", "Removed", "False", "NotRemoved", "busy"),
      ],
      pods: [pod("node2"), pod("node3")],
    },
    removed: [WEBHOOKS, ...WORKLOADS],
    waiting: /clean their nodes and end: node2 \(busy\), node3$/,
  },
  {
    name: "a LoadBalancer that somebody else's finalizer holds is one that goes",
    view: { loadBalancer: leaving(600), pods: [pod("node2")] },
    removed: [WEBHOOKS, ...WORKLOADS],
    waiting: /end: node2$/,
  },
  {
    name: "a namespace that ends takes all of it along, whatever its LoadBalancer says",
    view: { home: { uid: "u-namespace", isTerminating: true }, pods: [pod("node2")] },
    removed: [WEBHOOKS, ...WORKLOADS],
    waiting: /end: node2$/,
  },
  {
    name: "where somebody waits for the garbage collector, the workloads are its business",
    view: { loadBalancer: balancer(FOREGROUND), pods: [pod("node2")] },
    removed: [WEBHOOKS],
    waiting: /end: node2$/,
  },
  {
    name: "unless a pod does not end",
    view: { loadBalancer: balancer(FOREGROUND), pods: [pod("node2", { goneBy: secondsAgo(16) })] },
    removed: [WEBHOOKS, ...WORKLOADS],
    waiting: /pods to end$/,
  },
  {
    name: "workloads whose pods are not there yet are waited for too",
    view: { loadBalancer: undefined, speakers: [speaker("node1")] },
    removed: [WEBHOOKS, ...WORKLOADS],
    waiting: /pods to end$/,
  },
  {
    name: "pods end before their rights go",
    view: {
      loadBalancer: undefined,
      children: withoutWorkloads,
      pods: [pod("node1", { goneBy: secondsAgo(10) })],
    },
    removed: [WEBHOOKS],
    waiting: /end: node1$/,
  },
  {
    name: "what a speaker reported last may still be on its way",
    view: {
      loadBalancer: undefined,
      children: withoutWorkloads,
      speakers: [speaker("node1")],
      withoutSpeakersMs: 1_999,
    },
    removed: [WEBHOOKS],
    waiting: /last reports/,
  },
  {
    name: "then the nodes are named that nobody reported clean, but for those that left the cluster",
    view: {
      loadBalancer: undefined,
      children: withoutWorkloads,
      speakers: [speaker("node1", "Removed", "True"), speaker("node2", "Removed", "False"), speaker("gone")],
      leases: [lease("node1"), lease("node2"), lease("node3"), lease("gone")],
      withoutSpeakersMs: 2_000,
    },
    removed: "the rest",
    waiting: /last objects/,
    left: ["node2", "node3"],
  },
  {
    name: "pods that a kubelet does not end are not waited for for ever, and their nodes are named",
    view: {
      loadBalancer: undefined,
      children: withoutWorkloads,
      speakers: [speaker("node1")],
      pods: [pod("node1", { goneBy: secondsAgo(16) })],
    },
    removed: "the rest",
    waiting: /last objects/,
    left: ["node1"],
  },
  {
    name: "nobody is named twice",
    view: {
      loadBalancer: undefined,
      children: withoutWorkloads,
      pods: [pod("node1", { goneBy: secondsAgo(16) })],
    },
    removed: "the rest",
    waiting: /last objects/,
  },
];

for (const expected of cases) {
  test(`removal: ${expected.name}`, () => {
    const plan = planOperator(view(expected.view));
    if (expected.removed === "the rest") assert.ok(removed(plan).length > 10);
    else assert.deepEqual(removed(plan), expected.removed);
    assert.match(plan.waiting, expected.waiting);
    assert.deepEqual(plan.left, expected.left ?? []);
    assert.deepEqual([plan.hasFinalizer, plan.apply], [false, []]);
    assert.ok((plan.retryAfterMs ?? 0) > 0);
  });
}

test("removal: nothing is left to be done where nothing is", () => {
  for (const loadBalancer of [undefined, leaving(9)]) {
    const { apply, remove, retryAfterMs } = planOperator(view({ loadBalancer, children: [] }));
    assert.deepEqual([apply, remove, retryAfterMs], [[], [], undefined]);
  }
});

test("the finalizer of an older release goes, whether the LoadBalancer stays or not", () => {
  const finalizers = ["genkan.dev/cleanup", "somebody/else"];
  for (const metadata of [{ finalizers }, { finalizers, deletionTimestamp: secondsAgo(1) }])
    assert.equal(planOperator(view({ loadBalancer: balancer(metadata) })).hasFinalizer, true);
});

test("who owns what decides about what goes along", () => {
  const { apply } = planOperator(view({ children: [] }));
  const owners = new Map(
    apply.map(({ child: { resource, object } }) => [
      resource.kind,
      object.metadata.ownerReferences?.map(({ kind, uid }) => `${kind} ${uid}`).join() ?? "",
    ]),
  );
  for (const { child } of apply) {
    const { kind, namespaced } = child.resource;
    const expected = ["Deployment", "DaemonSet"].includes(kind) ? "LoadBalancer u" : "";
    assert.equal(owners.get(kind), namespaced ? expected : "Namespace u-namespace", kind);
  }
});

test("nothing is done beside another namespace's Genkan, until its objects are gone", () => {
  const rivals = [{ what: "ClusterRole genkan-controller", namespace: "genkan-old" }];
  const beside = planOperator(view({ children: [], rivals }));
  assert.deepEqual([beside.apply, beside.remove, beside.rival], [[], [], rivals[0]]);
  const removal = planOperator(view({ children: [], rivals, loadBalancer: undefined }));
  assert.deepEqual([removal.apply, removal.remove], [[], []]);
});

test("who has the ClusterRole of the controller goes on, whatever others took of the rest", () => {
  const rivals = [{ what: "ClusterRole genkan-speaker", namespace: "genkan-new" }];
  const children = settledChildren().filter(
    ({ resource, object }) => resource.kind !== "ClusterRole" || object.metadata.name === "genkan-controller",
  );
  const plan = planOperator(view({ children, rivals }));
  assert.equal(plan.rival, undefined);
  assert.deepEqual(applied(plan), ["ClusterRole genkan-speaker: missing"]);
});
