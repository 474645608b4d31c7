import assert from "node:assert/strict";
import { test } from "node:test";
import { planOperator } from "#operator/plan.ts";
import { misnamedStatus, statusOf } from "#operator/status.ts";
import type { OperatorView } from "#operator/view.ts";
import { balancer, now, pod, secondsAgo, settledChildren, speaker, view } from "#test/fakes/operator-view.ts";

/** `True Reason message` of each condition. */
function told(of: OperatorView, failures: readonly string[] = []): Record<string, string> {
  assert.ok(of.loadBalancer !== undefined);
  const status = statusOf(of, planOperator(of), of.loadBalancer, failures);
  const conditions = status?.conditions ?? [];
  return Object.fromEntries(
    conditions.map(({ type, status, reason, message }) => [type, `${status} ${reason} ${message}`]),
  );
}

const down = { updatedNumberScheduled: 3, numberAvailable: 2 };
const cases: readonly (readonly [string, OperatorView, Readonly<Record<string, RegExp>>, string[]?])[] = [
  [
    "settled",
    view(),
    {
      Available: /^True Running 2 of 2 controllers and 3 of 3 speakers/,
      Progressing: /^False/,
      Degraded: /^False/,
      Upgradeable: /^True/,
      Valid: /^True/,
      Ready: /^True Running 2 of 2 controllers/,
    },
  ],
  [
    "nothing there yet",
    view({ children: [] }),
    { Available: /^False/, Progressing: /^True/, Degraded: /^False/, Ready: /^False RollingOut/ },
  ],
  [
    "an update on its way",
    view({ children: settledChildren({ daemonSet: { updatedNumberScheduled: 1, numberAvailable: 2 } }) }),
    { Progressing: /^True RollingOut/, Degraded: /^False/, Upgradeable: /^False/ },
  ],
  [
    "a status that is older than the spec",
    view({ children: settledChildren({ daemonSet: { observedGeneration: 0 } }) }),
    { Progressing: /^True/ },
  ],
  [
    "a speaker that starts",
    view({
      children: settledChildren({ daemonSet: down }),
      pods: [pod("node2", { isReady: false, problem: "ContainerCreating", unreadySince: secondsAgo(59) })],
    }),
    {
      Available: /^False .*2 of 3 .*speaker on node2: ContainerCreating/,
      Progressing: /^True/,
      Degraded: /^False/,
      Ready: /^False RollingOut .*speaker on node2/,
    },
  ],
  [
    "a speaker that is down",
    view({
      children: settledChildren({ daemonSet: down }),
      pods: [pod("node2", { isReady: false, problem: "CrashLoopBackOff", unreadySince: secondsAgo(60) })],
    }),
    { Available: /^False/, Degraded: /^True SpeakersUnavailable speaker on node2: CrashLoopBackOff/ },
  ],
  [
    "an image that cannot be pulled",
    view({
      pods: [
        pod("node1", {
          component: "controller",
          isReady: false,
          problem: 'ImagePullBackOff: Back-off pulling image "genkan.dev/controller:v9"',
          unreadySince: secondsAgo(60),
        }),
      ],
    }),
    {
      Degraded: /^True ControllersUnavailable controller on node1: ImagePullBackOff: Back-off pulling image/,
    },
  ],
  [
    "a controller that finds no node",
    view({
      pods: [
        pod("", {
          component: "controller",
          node: undefined,
          isReady: false,
          problem: "0/3 nodes are available",
          unreadySince: secondsAgo(90),
        }),
      ],
    }),
    { Degraded: /^True ControllersUnavailable controller on no node yet: 0\/3 nodes/ },
  ],
  [
    "a speaker that cannot forward",
    view({ speakers: [speaker("node3", "ForwardingReady", "False", "NoIpvs", "no ip_vs")] }),
    {
      Available: /^True/,
      Degraded: /^True SpeakerTrouble node3: NoIpvs \(no ip_vs\)/,
      Upgradeable: /^False/,
    },
  ],
  [
    "a report of a node that is gone",
    view({ speakers: [speaker("node9", "ForwardingReady", "False", "NoIpvs", "no ip_vs")] }),
    { Degraded: /^False/ },
  ],
  [
    "no node selected",
    view({
      children: settledChildren({
        daemonSet: { desiredNumberScheduled: 0, updatedNumberScheduled: 0, numberAvailable: 0 },
      }),
    }),
    { Available: /^False/, Degraded: /^True NoNodeSelected no node takes a speaker: spec.nodeSelector, / },
  ],
  [
    "a rollout that is stuck",
    view({
      children: settledChildren({
        deployment: {
          updatedReplicas: 1,
          conditions: [{ type: "Progressing", status: "False", message: "deadline exceeded" }],
        },
      }),
    }),
    { Degraded: /^True ControllerStuck deadline exceeded/ },
  ],
  [
    "a field that is not supported",
    view({ loadBalancer: balancer({}, { layer2: { failureDetection: {} } }) }),
    {
      Valid: /^False Invalid spec\.layer2\.failureDetection/,
      Degraded: /^True Invalid/,
      Ready: /^False Invalid spec\.layer2/,
    },
  ],
  [
    "a write refused",
    view(),
    { Degraded: /^True ApplyFailed Role x: forbidden/, Ready: /^False ApplyFailed Role x: forbidden/ },
    ["Role x: forbidden"],
  ],
  [
    "a change that this very pass writes, of which the view cannot know",
    view({ loadBalancer: balancer({}, { nodeSelector: { role: "edge" } }) }),
    {
      Available: /^True/,
      Progressing: /^True RollingOut/,
      Ready: /^False RollingOut/,
      Upgradeable: /^False RollingOut/,
    },
  ],
  [
    "a child put back that rolls no pod",
    view({ children: settledChildren().filter(({ resource }) => resource.kind !== "ClusterRole") }),
    { Progressing: /^False/, Ready: /^True/ },
  ],
  [
    "controllers that nobody lets be made",
    view({
      children: settledChildren({
        deployment: {
          availableReplicas: 0,
          conditions: [{ type: "ReplicaFailure", status: "True", message: "exceeded quota: pods=1" }],
        },
      }),
    }),
    { Degraded: /^True PodsRefused no controller can be made: exceeded quota/, Upgradeable: /^False/ },
  ],
  [
    "speakers that nobody lets be made, in the newest words of their DaemonSet's controller",
    view({
      children: settledChildren({ daemonSet: { currentNumberScheduled: 0, numberAvailable: 0 } }),
      podRefusals: [
        { uid: "u", message: "no PriorityClass with name nope", at: secondsAgo(5) },
        { uid: "u", message: "older", at: secondsAgo(9) },
        { uid: "another", message: "of another DaemonSet", at: secondsAgo(1) },
      ],
    }),
    { Degraded: /^True PodsRefused no speaker can be made: no PriorityClass with name nope/ },
  ],
  [
    "speakers of which some are refused by a quota, in the same second as the others were made",
    view({
      children: settledChildren({ daemonSet: { currentNumberScheduled: 2, numberAvailable: 2 } }),
      pods: [pod("node1", { createdAt: secondsAgo(5) }), pod("node2", { createdAt: secondsAgo(5) })],
      podRefusals: [{ uid: "u", message: "exceeded quota", at: secondsAgo(5) }],
    }),
    { Degraded: /^True PodsRefused/ },
  ],
  [
    "a refusal that is over: a pod was made since, or all are there",
    view({
      children: settledChildren({ daemonSet: { currentNumberScheduled: 2 } }),
      pods: [pod("node1", { createdAt: secondsAgo(4) })],
      podRefusals: [{ uid: "u", message: "exceeded quota", at: secondsAgo(5) }],
    }),
    { Degraded: /^False/ },
  ],
  [
    "another installation",
    view({ children: [], rivals: [{ what: "ClusterRole genkan-controller", namespace: "genkan-old" }] }),
    {
      Available: /^False OtherInstallation namespace "genkan-old" has a Genkan already/,
      Degraded: /^True OtherInstallation/,
      Progressing: /^False/,
    },
  ],
  [
    "a removal",
    view({
      loadBalancer: balancer({ deletionTimestamp: secondsAgo(1) }),
      pods: [pod("node1")],
    }),
    { Available: /^False Removing/, Progressing: /^True Removing.*node1/, Degraded: /^False/ },
  ],
];

for (const [name, of, expected, failures] of cases) {
  test(`conditions: ${name}`, () => {
    const found = told(of, failures);
    for (const [type, pattern] of Object.entries(expected))
      assert.match(found[type] ?? "missing", pattern, type);
  });
}

test("a status that says the same is not written again, and times move only with the status", () => {
  const of = view();
  assert.ok(of.loadBalancer !== undefined);
  const status = statusOf(of, planOperator(of), of.loadBalancer);
  assert.ok(status !== undefined);
  const loadBalancer = { ...of.loadBalancer, status };
  const later = { ...of, loadBalancer, now: new Date(now.getTime() + 60_000) };
  assert.equal(statusOf(later, planOperator(later), loadBalancer), undefined);
  const newer = { ...loadBalancer, metadata: { ...loadBalancer.metadata, generation: 4 } };
  const rewritten = statusOf({ ...later, loadBalancer: newer }, planOperator(later), newer);
  assert.equal(rewritten?.observedGeneration, 4);
  assert.deepEqual(
    rewritten?.conditions?.map(({ lastTransitionTime }) => lastTransitionTime),
    status.conditions?.map(({ lastTransitionTime }) => lastTransitionTime),
  );
});

test("a LoadBalancer with another name is told so", () => {
  const status = misnamedStatus(balancer({ name: "second" }), now);
  const degraded = status?.conditions?.find(({ type }) => type === "Degraded");
  assert.equal(degraded?.status, "True");
  assert.match(degraded?.message ?? "", /"second".*"loadbalancer"/);
});
