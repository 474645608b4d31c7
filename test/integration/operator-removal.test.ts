import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, test } from "node:test";
import {
  APP_NAME,
  CLEANUP_FINALIZER,
  FINALIZER,
  LABEL_COMPONENT,
  LABEL_NAME,
  LABEL_SPEAKER_LEASE,
  LOADBALANCER_NAME,
  SPEAKER_NAME,
  speakerLease,
  WEBHOOK_CONFIGURATION_NAME,
} from "#api/names.ts";
import {
  clusterRoles,
  daemonSets,
  deployments,
  events,
  leases,
  loadBalancers,
  networkPolicies,
  pods,
  type Resource,
  roles,
  secrets,
  serviceAccounts,
  services,
  speakerStatuses,
  validatingAdmissionPolicies,
  validatingAdmissionPolicyBindings,
  validatingWebhookConfigurations,
} from "#common/kube/resource.ts";
import type { KubeObject } from "#common/kube/wire.ts";
import { managedSelector } from "#operator/children/child.ts";
import { NAMESPACE, type OperatorProcess, OperatorWorld } from "#test/integration/operator-process.ts";
import { until } from "#test/until.ts";

let world: OperatorWorld;
let operator: OperatorProcess;

before(async () => {
  world = await OperatorWorld.start(["node1", "node2"]);
});
after(async () => {
  await world?.[Symbol.asyncDispose]();
});

beforeEach(async () => {
  operator = world.operator();
  // Somebody else's finalizer: so that there is somebody who reads its conditions while it goes.
  await world.create(loadBalancers, {
    metadata: { name: LOADBALANCER_NAME, finalizers: ["example.com/hold"] },
    spec: {},
  });
  await world.playStatus({ desired: 2, ready: 2 });
  await world.waitFor(validatingWebhookConfigurations, WEBHOOK_CONFIGURATION_NAME);
  for (const name of ["node1", "node2"]) {
    await world.create(speakerStatuses, { metadata: { name } });
    const metadata = { name: speakerLease(name), labels: { [LABEL_SPEAKER_LEASE]: name } };
    await world.create(leases, { metadata, spec: { holderIdentity: name, leaseDurationSeconds: 4 } });
    await bindPod(name);
  }
});
afterEach(async () => {
  for (const name of ["node1", "node2"]) await endPod(name);
  await operator.stop();
  await clear();
});

/** Without an operator: whatever a test has left of what the next one makes. */
async function clear(): Promise<void> {
  // First: it asks for a webhook that is not there.
  await world.client.remove(validatingWebhookConfigurations, WEBHOOK_CONFIGURATION_NAME);
  if ((await world.loadBalancer()) !== undefined) {
    await deleteLoadBalancer();
    await letLoadBalancerGo();
  }
  for (const name of ["node1", "node2"]) {
    await world.client.remove(speakerStatuses, name, { namespace: NAMESPACE });
    await world.client.remove(leases, speakerLease(name), { namespace: NAMESPACE });
  }
}

async function reportClean(node: string): Promise<void> {
  const condition = { type: "Removed", status: "True", reason: "Removed", message: "" };
  const conditions = [{ ...condition, lastTransitionTime: "2026-01-01T00:00:00Z" }];
  await world.writeStatus(speakerStatuses, await world.waitFor(speakerStatuses, node), { conditions });
}

const podOf = (node: string): string => `speaker-of-${node}`;

/** There is no DaemonSet controller here, and no kubelet. */
async function bindPod(node: string): Promise<void> {
  const labels = { [LABEL_NAME]: APP_NAME, [LABEL_COMPONENT]: SPEAKER_NAME };
  const containers = [{ name: SPEAKER_NAME, image: "nobody.example/runs-it" }];
  await world.create(pods, {
    metadata: { name: podOf(node), labels },
    spec: {
      nodeName: node,
      containers,
      automountServiceAccountToken: false,
      serviceAccountName: SPEAKER_NAME,
    },
  });
}

async function endPod(node: string): Promise<void> {
  await world.client.remove(pods, podOf(node), { namespace: NAMESPACE, gracePeriodSeconds: 0 });
}

async function deleteLoadBalancer(): Promise<void> {
  await until("the deletion to be taken", () =>
    world.client.remove(loadBalancers, "loadbalancer", { namespace: NAMESPACE }),
  );
}

/** Of what the operator makes, and of what speakers make for themselves. */
async function isNothingLeft(): Promise<boolean> {
  const labelSelector = managedSelector(NAMESPACE);
  const namespaced: readonly Resource<KubeObject>[] = [
    deployments,
    daemonSets,
    services,
    secrets,
    serviceAccounts,
    roles,
    networkPolicies,
  ];
  const inCluster: readonly Resource<KubeObject>[] = [
    clusterRoles,
    validatingWebhookConfigurations,
    validatingAdmissionPolicies,
    validatingAdmissionPolicyBindings,
  ];
  const counts = [
    ...namespaced.map((resource) => world.client.list(resource, { namespace: NAMESPACE, labelSelector })),
    ...inCluster.map((resource) => world.client.list(resource, { labelSelector })),
    world.client.list(speakerStatuses, { namespace: NAMESPACE }),
    world.client.list(leases, { namespace: NAMESPACE, labelSelector: LABEL_SPEAKER_LEASE }),
  ];
  return (await Promise.all(counts)).every(({ items }) => items.length === 0);
}

test("webhooks and workloads go first, the rest when the speakers have ended, then nothing is left", async () => {
  const held = { name: "held", namespace: "default" } as const;
  // No controller runs here that could take it off.
  await world.client.create(services, {
    metadata: { ...held, finalizers: [CLEANUP_FINALIZER, "example.com/hold"] },
    spec: { type: "LoadBalancer", ports: [{ port: 80, protocol: "TCP" }] },
  });
  const body = { metadata: { managedFields: [{}] } };
  await world.client.patch(services, { ...held, type: "merge", body });
  await deleteLoadBalancer();
  await world.waitGone(validatingWebhookConfigurations, WEBHOOK_CONFIGURATION_NAME);
  await world.waitGone(daemonSets, "speaker");
  await world.waitGone(deployments, "controller");
  await world.waitForCondition("Progressing", /^True \(Removing\).*node1, node2/);
  await reportClean("node1");
  await endPod("node1");
  await world.waitForCondition("Progressing", /: node2$/);
  // A new operator goes on where this one was killed.
  await operator.stop("SIGKILL");
  operator = world.operator();
  assert.ok(await world.get(serviceAccounts, "speaker"));
  await reportClean("node2");
  await endPod("node2");
  await until("nothing to be left", isNothingLeft, { deadlineMs: 40_000 });
  const { finalizers } = (await world.client.get(services, held.name, held.namespace))?.metadata ?? {};
  assert.deepEqual(finalizers, ["example.com/hold"]);
  await letLoadBalancerGo();
  assert.deepEqual(await nodesLeft(), []);
});

test("a speaker that ends without a report is told of at its node", async () => {
  await reportClean("node1");
  await endPod("node1");
  await endPod("node2");
  await deleteLoadBalancer();
  await until("nothing to be left", isNothingLeft, { deadlineMs: 40_000 });
  await letLoadBalancerGo();
  await until("the event", async () => (await nodesLeft()).length > 0);
  assert.deepEqual(await nodesLeft(), ["Node node2"]);
});

async function letLoadBalancerGo(): Promise<void> {
  await world.patch(loadBalancers, "loadbalancer", { metadata: { finalizers: null } });
  await world.waitGone(loadBalancers, "loadbalancer");
}

async function nodesLeft(): Promise<string[]> {
  const { items } = await world.client.list(events, { namespace: "default" });
  return items
    .filter(({ reason }) => reason === "NodeLeft")
    .map(({ involvedObject: { kind, name } }) => `${kind} ${name}`);
}

test("a LoadBalancer with another name says so, and neither it nor its end changes anything", async () => {
  // CRD and webhook both refuse it: one that is there all the same came before them.
  await operator.stop();
  await world.client.remove(validatingWebhookConfigurations, WEBHOOK_CONFIGURATION_NAME);
  const rule = await world.withoutNameRule(async () => {
    await world.create(loadBalancers, { metadata: { name: "second" }, spec: { logLevel: "debug" } });
  });
  assert.match(rule, /loadbalancer/);
  operator = world.operator();
  await world.waitForCondition("Degraded", /^True \(WrongName\).*"second"/, "second");
  await world.waitForCondition("Available", /^True/);
  const daemonSet = await world.waitFor(daemonSets, "speaker");
  assert.ok(!JSON.stringify(daemonSet.spec).includes("debug"));
  assert.deepEqual((await world.loadBalancer("second"))?.metadata.finalizers ?? [], []);
  assert.deepEqual((await world.loadBalancer())?.metadata.finalizers ?? [], ["example.com/hold"]);
  await world.client.remove(loadBalancers, "second", { namespace: NAMESPACE });
  await world.waitGone(loadBalancers, "second");
  assert.equal((await world.waitFor(daemonSets, "speaker")).metadata.uid, daemonSet.metadata.uid);
  await world.waitForCondition("Degraded", /^False/);
});

test("the finalizer of an older release goes, and nobody else's", async () => {
  await operator.stop();
  await world.client.remove(validatingWebhookConfigurations, WEBHOOK_CONFIGURATION_NAME);
  const finalizers = ["example.com/hold", FINALIZER];
  await until("the older release's finalizer", async () => {
    await world.patch(loadBalancers, LOADBALANCER_NAME, { metadata: { finalizers } });
    return true;
  });
  operator = world.operator();
  await until("its end", async () => (await world.loadBalancer())?.metadata.finalizers?.length === 1);
  assert.deepEqual((await world.loadBalancer())?.metadata.finalizers, ["example.com/hold"]);
});
