/**
 * Uninstall in one stroke, in every order that people use, against a real API server with Kubernetes' own controllers:
 * nothing stays Terminating, every node is cleaned, nothing of the operator's making is left, and an installation
 * afterwards finds nothing in its way. The operator's process lives through all of it, with rights that go.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { afterEach, beforeEach, test } from "node:test";
import { promisify } from "node:util";
import {
  CLEANUP_FINALIZER,
  FIELD_MANAGER,
  LOADBALANCER_NAME,
  WEBHOOK_CONFIGURATION_NAME,
} from "#api/names.ts";
import {
  addressPools,
  clusterRoleBindings,
  clusterRoles,
  customResourceDefinitions,
  events,
  namespaces,
  type Resource,
  services,
  validatingAdmissionPolicies,
  validatingAdmissionPolicyBindings,
  validatingWebhookConfigurations,
} from "#common/kube/resource.ts";
import type { KubeObject } from "#common/kube/wire.ts";
import { run } from "#hack/common/command.ts";
import { type Manifest, readObjects, toYaml } from "#hack/release/manifests.ts";
import { managedSelector } from "#operator/children/child.ts";
import { Kubelets } from "#test/integration/kubelets.ts";
import { NAMESPACE, type OperatorProcess, OperatorWorld } from "#test/integration/operator-process.ts";
import { commandsOf, runBlock } from "#test/integration/page-commands.ts";
import { until } from "#test/until.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const NODES = ["node1", "node2"];
const LONG = { deadlineMs: 60_000 };
const IN_CLUSTER: readonly Resource<KubeObject>[] = [
  clusterRoles,
  clusterRoleBindings,
  validatingWebhookConfigurations,
  validatingAdmissionPolicies,
  validatingAdmissionPolicyBindings,
];

let world: OperatorWorld;
let kubelets: Kubelets;
let operator: OperatorProcess;

const kubectl = async (...argv: string[]): Promise<string> => {
  const { kubeconfig } = world.plane.plane;
  const all = ["--kubeconfig", kubeconfig, ...argv];
  return (await promisify(execFile)(`${ROOT}.lab/bin/kubectl`, all, { cwd: ROOT })).stdout;
};

beforeEach(async () => {
  world = await OperatorWorld.start(NODES, { programs: ["kube-controller-manager", "kube-scheduler"] });
  kubelets = await Kubelets.start(world.plane, NAMESPACE, NODES);
  operator = world.operator();
  await world.create(addressPools, {
    metadata: { name: "default" },
    spec: { protocol: "layer2", addresses: ["172.30.0.200-172.30.0.250"] } as never,
  });
  await world.createLoadBalancer();
  await holdService();
  await until(
    "everything to run",
    async () => (await world.conditions()).Available?.startsWith("True"),
    LONG,
  );
  await world.waitFor(validatingWebhookConfigurations, WEBHOOK_CONFIGURATION_NAME);
});

afterEach(async () => {
  await operator?.stop();
  await kubelets?.[Symbol.asyncDispose]();
  await world?.[Symbol.asyncDispose]();
});

const HELD = { name: "held", namespace: "default" } as const;

/** A Service with the finalizer, as a controller puts it there. */
async function holdService(): Promise<void> {
  await world.client.create(services, {
    metadata: HELD,
    spec: { type: "LoadBalancer", ports: [{ port: 80, protocol: "TCP" }] },
  });
  await world.client.patch(services, {
    ...HELD,
    subresource: "status",
    type: "merge",
    body: { metadata: { finalizers: [CLEANUP_FINALIZER] } },
    fieldManager: FIELD_MANAGER.controller,
  });
}

async function assertServiceIsFree(): Promise<void> {
  const isFree = async () =>
    (await world.client.get(services, HELD.name, HELD.namespace))?.metadata.finalizers === undefined;
  await until("the Service to lose the finalizer", isFree, LONG);
}

/** Whoever waited for us, and whatever is left. */
async function leftovers(): Promise<string[]> {
  const left: string[] = [];
  for (const resource of IN_CLUSTER) {
    const { items } = await world.client.list(resource, { labelSelector: managedSelector(NAMESPACE) });
    left.push(...items.map(({ metadata }) => `${resource.kind} ${metadata.name}`));
  }
  return left;
}

async function assertAllClean(): Promise<void> {
  await assertServiceIsFree();
  await until("the speakers to end", () => NODES.every((node) => kubelets.ended.has(node)), LONG);
  for (const node of NODES) assert.match(kubelets.ended.get(node) ?? "", /^LoadBalancer(Absent|Deleted)$/);
}

async function assertGone(resource: Resource<KubeObject>, name: string): Promise<void> {
  const what = `${resource.kind} ${name} to be gone`;
  await until(what, async () => (await world.client.get(resource, name)) === undefined, LONG);
}

async function assertNothingInCluster(): Promise<void> {
  let left: string[] = [];
  try {
    await until(
      "nothing to be left in the cluster",
      async () => {
        left = await leftovers();
        return left.length === 0;
      },
      LONG,
    );
  } catch (error) {
    throw new Error(`left: ${left.join(", ")}`, { cause: error });
  }
}

async function assertNothingInNamespace(): Promise<void> {
  const kinds = "deployments,daemonsets,pods,services,secrets,serviceaccounts,roles,rolebindings,leases";
  const selector = `${managedSelector(NAMESPACE)}`;
  await until(
    "nothing to be left in the namespace",
    async () => (await kubectl("get", kinds, "-n", NAMESPACE, "-l", selector, "-o", "name")).trim() === "",
    LONG,
  );
}

const deleted = (...argv: string[]) => kubectl("delete", ...argv, "--timeout=90s");
const ALL_CRDS = ["addresspools", "bfdprofiles", "bgppeers", "loadbalancers", "speakerstatuses"].map(
  (plural) => `${plural}.genkan.dev`,
);

async function goneWithNamespace(): Promise<void> {
  await assertAllClean();
  await assertGone(namespaces, NAMESPACE);
  await assertNothingInCluster();
}

/** The commands of docs/uninstall.md: all at once, and with waiting. */
const page = async (number: 0 | 1): Promise<void> => {
  const block = commandsOf("docs/uninstall.md", "Remove Genkan")[number];
  assert.ok(block !== undefined);
  await runBlock(block, { kubeconfig: world.plane.plane.kubeconfig });
};

test("kubectl delete -k config/default, with everything in place", async () => {
  assert.match(
    commandsOf("docs/uninstall.md", "Remove Genkan")[0] ?? "",
    /^kubectl delete -k config\/default$/,
  );
  await page(0);
  await goneWithNamespace();
  for (const name of ALL_CRDS) await assertGone(customResourceDefinitions, name);
});

test("the same without an operator, which was down when it came", async () => {
  await operator.stop("SIGKILL");
  await deleted("-k", "config/default");
  await goneWithNamespace();
});

test("kubectl delete ns, and the rest afterwards", async () => {
  await deleted("ns", NAMESPACE);
  await goneWithNamespace();
  await deleted("-k", "config/default", "--ignore-not-found");
  for (const name of ALL_CRDS) await assertGone(customResourceDefinitions, name);
});

test("kubectl delete ns in the foreground, which ends the operator with the namespace", async () => {
  // The controllers' ClusterRole belongs to the namespace, so it goes before they have ended.
  const deletion = deleted("ns", NAMESPACE, "--cascade=foreground");
  await until(
    "the namespace to end",
    async () => (await world.client.get(namespaces, NAMESPACE))?.metadata.deletionTimestamp !== undefined,
  );
  await operator.stop();
  await deletion;
  await goneWithNamespace();
});

test("the CRDs first", async () => {
  await deleted("crd", ...ALL_CRDS);
  await assertAllClean();
  await assertNothingInCluster();
  await deleted("-k", "config/default", "--ignore-not-found");
  await goneWithNamespace();
});

test("the LoadBalancer first: who deletes it in the foreground waits until the nodes are clean", async () => {
  const deletion = page(1);
  await until("the LoadBalancer to go", async () => (await world.loadBalancer()) === undefined, LONG);
  assert.deepEqual([...kubelets.ended.keys()].sort(), NODES);
  await deletion;
  await assertAllClean();
  await goneWithNamespace();
});

const CONFIGURED: readonly (readonly [kind: string, name: string])[] = [
  ["LoadBalancer", LOADBALANCER_NAME],
  ["AddressPool", "default"],
];

test("all of it and what was configured at once, in the foreground", async () => {
  // Its finalizer may stay, as the page says.
  await world.client.patch(services, { ...HELD, type: "merge", body: { metadata: { finalizers: null } } });
  const inForeground = (...argv: string[]) =>
    kubectl("delete", ...argv, "--cascade=foreground", "--wait=false", "--ignore-not-found");
  await Promise.all([
    inForeground("-k", "config/default"),
    ...CONFIGURED.map(([kind, name]) => inForeground(kind, name, "-n", NAMESPACE)),
  ]);
  await goneWithNamespace();
  for (const name of ALL_CRDS) await assertGone(customResourceDefinitions, name);
});

/**
 * As Argo CD deletes an application: by waves from the last one, the whole wave at once and in the foreground, and the
 * next one when it is gone. Without an annotation an object is in wave 0.
 */
async function deleteByWaves(objects: readonly Manifest[]): Promise<void> {
  const waveOf = ({ metadata }: Manifest) =>
    Number(metadata.annotations?.["argocd.argoproj.io/sync-wave"] ?? 0);
  const waves = [...new Set(objects.map(waveOf))].sort((a, b) => b - a);
  assert.deepEqual(waves, [0, -1]);
  for (const wave of waves) {
    const argv = ["delete", "-f", "-", "--cascade=foreground", "--ignore-not-found", "--timeout=90s"];
    await run([`${ROOT}.lab/bin/kubectl`, "--kubeconfig", world.plane.plane.kubeconfig, ...argv], {
      input: toYaml(objects.filter((object) => waveOf(object) === wave)),
    });
  }
}

for (const [where, configured] of [
  ["in the application, too", CONFIGURED],
  ["made by hand", []],
] as const) {
  test(`argocd app delete: no Service keeps a finalizer, with what is configured ${where}`, async () => {
    const made = configured.map(([kind, name]) => ({
      apiVersion: "genkan.dev/v1beta1",
      kind,
      metadata: { name, namespace: NAMESPACE },
    }));
    // kubectl finds no kind any more once its CRD is gone.
    await deleteByWaves([...made, ...(await readObjects())]);
    await goneWithNamespace();
    for (const name of ALL_CRDS) await assertGone(customResourceDefinitions, name);
  });
}

test("the LoadBalancer alone: what was made goes with it, and the namespace stays", async () => {
  await deleted("loadbalancer", "loadbalancer", "-n", NAMESPACE);
  await assertAllClean();
  await assertNothingInCluster();
  await assertNothingInNamespace();
});

test("the operator and its rights first, as helm uninstall does, which leaves the namespace", async () => {
  await kubectl("delete", "-k", "config/operator");
  await operator.stop();
  await kubectl("delete", "-k", "config/rbac");
  // What is configured can be changed: nobody is left who would take the webhook configuration away.
  await until(
    "a change to be let in",
    async () => {
      await world.patch(addressPools, "default", { metadata: { labels: { a: "b" } } });
      return true;
    },
    LONG,
  );
  assert.equal(kubelets.ended.size, 0);
  await deleted("loadbalancer", "loadbalancer", "-n", NAMESPACE);
  await assertAllClean();
  await deleted("ns", NAMESPACE);
  await goneWithNamespace();
});

test("a node whose kubelet is dead: an event at the node says that it was left", async () => {
  kubelets.dead.add("node2");
  await deleted("loadbalancer", "loadbalancer", "-n", NAMESPACE);
  const told = await until(
    "a node to be told of",
    async () => {
      const { items } = await world.client.list(events, { namespace: "default" });
      const left = items.filter(({ reason }) => reason === "NodeLeft");
      return left.length > 0 ? left : undefined;
    },
    { deadlineMs: 120_000 },
  );
  assert.deepEqual(
    told.map(({ involvedObject: { kind, name } }) => `${kind} ${name}`),
    ["Node node2"],
  );
  assert.equal(kubelets.ended.get("node1"), "LoadBalancerAbsent");
  await assertNothingInCluster();
});
