/**
 * Whatever keeps pods from being made is said at the LoadBalancer, in the words of who refuses them, and is gone when it
 * is; and a second installation does nothing but say whose cluster it is. With Kubernetes' own controllers and no
 * scheduler, so that pods are made and do not run.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { LOADBALANCER_NAME } from "#api/names.ts";
import {
  clusterRoles,
  daemonSets,
  loadBalancers,
  namespaces,
  pods,
  type Resource,
} from "#common/kube/resource.ts";
import type { KubeObject } from "#common/kube/wire.ts";
import { LABEL_INSTANCE } from "#operator/children/child.ts";
import { Kubelets } from "#test/integration/kubelets.ts";
import { NAMESPACE, type OperatorProcess, OperatorWorld } from "#test/integration/operator-process.ts";
import { until } from "#test/until.ts";

const NODES = ["node1", "node2"];
const OTHER = "genkan-two";
const LONG = { deadlineMs: 60_000 };
const resourceQuotas: Resource<KubeObject> = {
  group: "",
  version: "v1",
  plural: "resourcequotas",
  kind: "ResourceQuota",
  namespaced: true,
};

let world: OperatorWorld;
let kubelets: Kubelets;
let operator: OperatorProcess;

before(async () => {
  world = await OperatorWorld.start(NODES, { programs: ["kube-controller-manager"] });
  kubelets = await Kubelets.start(world.plane, NAMESPACE, NODES);
  operator = world.operator();
});
after(async () => {
  await operator?.stop();
  await kubelets?.[Symbol.asyncDispose]();
  await world?.[Symbol.asyncDispose]();
});

const change = (spec: object) => world.patch(loadBalancers, LOADBALANCER_NAME, { spec });
const degraded = async (): Promise<string> => (await world.conditions()).Degraded ?? "";

async function says(pattern: RegExp): Promise<void> {
  let seen = "";
  try {
    await until(
      `Degraded ${pattern}`,
      async () => {
        seen = await degraded();
        return pattern.test(seen);
      },
      LONG,
    );
  } catch (error) {
    throw new Error(`Degraded is "${seen}"`, { cause: error });
  }
}

/** The Deployment repeats what an old ReplicaSet was told until the rollout is through, for which pods would have to run. */
const letsSpeakersBe = () =>
  until("speakers to be made", async () => !(await degraded()).includes("no speaker can be made"), LONG);

test("a priority class that is not there, of both roles, and its end", async () => {
  const config = { priorityClassName: "nope" };
  await world.createLoadBalancer({ controllerConfig: config, speakerConfig: config });
  await says(/PodsRefused.*no controller can be made: .*nope.*no speaker can be made: .*nope/);
  await change({ controllerConfig: null, speakerConfig: null });
  await letsSpeakersBe();
});

test("a runtime class that is not there", async () => {
  await change({ speakerConfig: { runtimeClassName: "gvisor" } });
  await says(/PodsRefused.*no speaker can be made: .*RuntimeClass.*gvisor/);
  await change({ speakerConfig: null });
  await letsSpeakersBe();
});

test("an affinity that no node has, and one that is none", async () => {
  const needs = (key: string) => ({
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: {
        nodeSelectorTerms: [{ matchExpressions: [{ key, operator: "Exists" }] }],
      },
    },
  });
  await change({ speakerConfig: { affinity: needs("genkan.test/rack") } });
  await says(/no node takes a speaker: .*spec\.speakerConfig\.affinity/);
  await change({ speakerConfig: { affinity: needs("no label, this") } });
  await says(/ApplyFailed.*DaemonSet.*nodeSelectorTerms.*Invalid value/);
  await change({ speakerConfig: null });
  await until("speakers to be wanted again", async () => /^False|PodsRefused/.test(await degraded()), LONG);
});

test("a quota", async () => {
  await world.create(resourceQuotas, { metadata: { name: "none" }, spec: { hard: { pods: "0" } } } as never);
  await until("the quota to count", async () => {
    const quota = (await world.get(resourceQuotas, "none")) as { status?: { used?: { pods?: string } } };
    return quota.status?.used?.pods !== undefined;
  });
  // New pods for both, of which none gets in.
  const config = { annotations: { round: "quota" } };
  await change({ controllerConfig: config, speakerConfig: config });
  await says(/PodsRefused.*no speaker can be made: .*exceeded quota/);
  await world.client.remove(resourceQuotas, "none", { namespace: NAMESPACE });
});

test("Pod Security that forbids what speakers need", async () => {
  const body = { metadata: { labels: { "pod-security.kubernetes.io/enforce": "restricted" } } };
  await world.client.patch(namespaces, { name: NAMESPACE, type: "merge", body });
  const config = { annotations: { round: "security" } };
  await change({ controllerConfig: config, speakerConfig: config });
  await says(/no speaker can be made: .*violates PodSecurity/);
  // The controller's pods are restricted enough.
  await until("new pods of the controller", async () => {
    const { items } = await world.client.list(pods, { namespace: NAMESPACE });
    const fresh = items.filter(({ metadata }) => metadata.annotations?.round === "security");
    return fresh.length > 0 && fresh.every(({ metadata }) => metadata.name.startsWith("controller"));
  });
});

test("a second installation does nothing and says why, until the first is gone", async () => {
  await world.client.create(namespaces, { metadata: { name: OTHER } });
  const writes = operator.writes().length;
  const { kubeconfig } = world.plane.plane;
  await using second = world.operator({ POD_NAMESPACE: OTHER, KUBECONFIG: kubeconfig });
  await world.client.create(loadBalancers, {
    metadata: { name: LOADBALANCER_NAME, namespace: OTHER },
    spec: {},
  });
  const conditions = async (): Promise<string> => {
    const balancer = await world.client.get(loadBalancers, LOADBALANCER_NAME, OTHER);
    return (balancer?.status?.conditions ?? [])
      .map(({ type, status, reason, message }) => `${type}=${status} ${reason} ${message}`)
      .join("\n");
  };
  const words = new RegExp(`Degraded=True OtherInstallation namespace "${NAMESPACE}" has a Genkan already`);
  await until("the second to say so", async () => words.test(await conditions()), LONG);
  assert.deepEqual(second.writes(), []);
  assert.equal(operator.writes().length, writes);
  assert.equal(await world.client.get(daemonSets, "speaker", OTHER), undefined);

  await world.client.remove(loadBalancers, LOADBALANCER_NAME, { namespace: NAMESPACE });
  await until(
    "the second to take over",
    async () => (await world.client.get(daemonSets, "speaker", OTHER)) !== undefined,
    LONG,
  );
  const role = await world.waitFor(clusterRoles, "genkan-controller");
  assert.equal(role.metadata.labels?.[LABEL_INSTANCE], OTHER);
});
