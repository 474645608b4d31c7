import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { FINALIZER, LABEL_SPEAKER_LEASE, speakerLease, WEBHOOK_CONFIGURATION_NAME } from "#api/names.ts";
import {
  clusterRoles,
  daemonSets,
  deployments,
  events,
  leases,
  loadBalancers,
  networkPolicies,
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
let heart: Heart | undefined;

before(async () => {
  world = await OperatorWorld.start(["node1", "node2"]);
});
after(async () => {
  await world?.[Symbol.asyncDispose]();
});

beforeEach(async () => {
  operator = world.operator();
  await world.createLoadBalancer();
  await world.playStatus({ desired: 2, ready: 2 });
  await world.waitFor(validatingWebhookConfigurations, WEBHOOK_CONFIGURATION_NAME);
  for (const name of ["node1", "node2"]) await world.create(speakerStatuses, { metadata: { name } });
});
afterEach(async () => {
  await heart?.stop();
  heart = undefined;
  await operator.stop();
});

/** Renews the Leases of speakers that live, as they do every second. */
class Heart {
  readonly #timer: NodeJS.Timeout;
  #last: Promise<void> = Promise.resolve();
  #beats = 0;

  constructor(nodes: readonly string[]) {
    this.#timer = setInterval(() => {
      this.#beats += 1;
      this.#last = this.#last.then(() => this.#beat(nodes));
    }, 1_000);
  }

  async #beat(nodes: readonly string[]): Promise<void> {
    for (const node of nodes) {
      const metadata = {
        name: speakerLease(node),
        namespace: NAMESPACE,
        labels: { [LABEL_SPEAKER_LEASE]: node },
      };
      const renewTime = `2026-01-01T00:00:00.${String(this.#beats).padStart(6, "0")}Z` as never;
      const spec = { holderIdentity: node, leaseDurationSeconds: 4, renewTime };
      await world.client.apply(leases, { metadata, spec }, { fieldManager: "heart", force: true });
    }
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#last;
  }
}

async function reportClean(node: string): Promise<void> {
  const condition = { type: "Removed", status: "True", reason: "Removed", message: "" };
  const conditions = [{ ...condition, lastTransitionTime: "2026-01-01T00:00:00Z" }];
  await world.writeStatus(speakerStatuses, await world.waitFor(speakerStatuses, node), { conditions });
}

async function deleteLoadBalancer(): Promise<void> {
  await until("the deletion to be taken", () =>
    world.client.remove(loadBalancers, "loadbalancer", { namespace: NAMESPACE }),
  );
}

async function assertNothingLeft(): Promise<void> {
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
  for (const resource of namespaced) {
    const { items } = await world.client.list(resource, { namespace: NAMESPACE, labelSelector });
    assert.deepEqual(
      items.map(({ metadata }) => metadata.name),
      [],
      resource.plural,
    );
  }
  for (const resource of inCluster) {
    const { items } = await world.client.list(resource, { labelSelector });
    assert.deepEqual(
      items.map(({ metadata }) => metadata.name),
      [],
      resource.plural,
    );
  }
  assert.deepEqual((await world.client.list(speakerStatuses, { namespace: NAMESPACE })).items, []);
  const { items } = await world.client.list(leases, {
    namespace: NAMESPACE,
    labelSelector: LABEL_SPEAKER_LEASE,
  });
  assert.deepEqual(
    items.map(({ metadata }) => metadata.name),
    [],
  );
}

test("webhooks go first, the rest waits for the speakers' reports, then nothing is left", async () => {
  heart = new Heart(["node1", "node2"]);
  await world.waitFor(leases, speakerLease("node2"));
  await deleteLoadBalancer();
  await world.waitGone(validatingWebhookConfigurations, WEBHOOK_CONFIGURATION_NAME);
  await world.waitForCondition("Progressing", /^True \(Removing\).*node1, node2/);
  await reportClean("node1");
  await world.waitForCondition("Progressing", /: node2$/);
  assert.ok(await world.get(daemonSets, "speaker"));
  assert.ok(await world.get(deployments, "controller"));
  // A new operator goes on where this one was killed.
  await operator.stop("SIGKILL");
  operator = world.operator();
  await heart.stop();
  await reportClean("node2");
  await until("the LoadBalancer to go", async () => (await world.loadBalancer()) === undefined, {
    deadlineMs: 40_000,
  });
  await assertNothingLeft();
});

test("a dead speaker is waited for, but not for ever, and an event names its node", async () => {
  await reportClean("node1");
  // It died before the deletion: its Lease does not change any more.
  const metadata = { name: speakerLease("node2"), labels: { [LABEL_SPEAKER_LEASE]: "node2" } };
  await world.create(leases, { metadata, spec: { holderIdentity: "node2", leaseDurationSeconds: 4 } });
  const began = performance.now();
  await deleteLoadBalancer();
  await world.waitForCondition("Progressing", /^True .*show no life.*node2/);
  await until("the LoadBalancer to go", async () => (await world.loadBalancer()) === undefined, {
    deadlineMs: 75_000,
  });
  const waitedMs = performance.now() - began;
  assert.ok(waitedMs > 55_000, `waited only ${waitedMs} ms`);
  const { items } = await world.client.list(events, { namespace: NAMESPACE });
  const told = items.filter(({ reason }) => reason === "NodeLeft");
  assert.equal(told.length, 1);
  assert.match(told[0]?.message ?? "", /node2/);
  await assertNothingLeft();
});

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
  assert.deepEqual((await world.loadBalancer())?.metadata.finalizers, [FINALIZER]);
  await world.client.remove(loadBalancers, "second", { namespace: NAMESPACE });
  await world.waitGone(loadBalancers, "second");
  assert.equal((await world.waitFor(daemonSets, "speaker")).metadata.uid, daemonSet.metadata.uid);
  await world.waitForCondition("Degraded", /^False/);
});
