/**
 * docs/install.md, "With Helm", is the script: its commands against a real API server with Kubernetes' own controllers,
 * under Pod Security. What Helm installed runs the operator here, by its account and its rights; the kubelets are played.
 */
import assert from "node:assert/strict";
import { cp, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { OPERATOR_NAME } from "#api/names.ts";
import {
  addressPools,
  customResourceDefinitions,
  deployments,
  networkPolicies,
  pods,
} from "#common/kube/resource.ts";
import { CHECKOUT } from "#hack/common/checkout.ts";
import { ensurePrograms } from "#hack/lab/programs.ts";
import { packChart } from "#hack/release/chart.ts";
import { Kubelets } from "#test/integration/kubelets.ts";
import { NAMESPACE, type OperatorProcess, OperatorWorld } from "#test/integration/operator-process.ts";
import { commandsOf, runBlock } from "#test/integration/page-commands.ts";
import { until } from "#test/until.ts";

const NODES = ["node1", "node2"];
const LONG = { deadlineMs: 60_000 };
const REGISTRY = "registry.example.com/genkan";
const ROLES = ["operator", "controller", "speaker"];
const digestOf = (role: string): string => `sha256:${role.charCodeAt(0).toString(16).padStart(64, "0")}`;

let world: OperatorWorld;
let kubelets: Kubelets;
let operator: OperatorProcess;
let directory = "";
/** The commands of the page: to install, to change values, to remove. */
const [install = "", change = "", remove = ""] = commandsOf("docs/install.md", "With Helm");

const run = (block: string, kubeconfig = world.plane.plane.kubeconfig): Promise<string> =>
  runBlock(block, {
    kubeconfig,
    directory,
    env: { VERSION: "v0.1.0", REGISTRY, HELM_CACHE_HOME: join(directory, "cache") },
  });

before(async () => {
  await ensurePrograms(["kube", "helm"]);
  directory = await mkdtemp(join(tmpdir(), "genkan-chart-"));
  await cp(join(CHECKOUT, "config"), join(directory, "config"), { recursive: true });
  await mkdir(join(directory, "dist"));
  const images = new Map(ROLES.map((role) => [role, `${REGISTRY}/${role}@${digestOf(role)}`]));
  await packChart(join(directory, "dist"), { version: "v0.1.0", images, scratch: directory });
  world = await OperatorWorld.start(NODES, {
    programs: ["kube-controller-manager", "kube-scheduler"],
    install: (kubeconfig) => run(install, kubeconfig),
  });
  kubelets = await Kubelets.start(world.plane, NAMESPACE, NODES);
});
after(async () => {
  await operator?.stop();
  await kubelets?.[Symbol.asyncDispose]();
  await world?.[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

/** The environment that Helm gave the operator, as far as it is set by value. */
async function environment(): Promise<Record<string, string>> {
  const { spec } = await world.waitFor(deployments, OPERATOR_NAME);
  const env = spec?.template.spec?.containers[0]?.env ?? [];
  return Object.fromEntries(
    env.flatMap(({ name, value }) => (value === undefined ? [] : [[name, value] as const])),
  );
}

test("the operator's pod is admitted and runs", async () => {
  await until(
    "a pod of the operator",
    async () => {
      const { items } = await world.client.list(pods, { namespace: NAMESPACE });
      return items.some(({ metadata, status }) => {
        return metadata.name.startsWith(OPERATOR_NAME) && status?.phase === "Running";
      });
    },
    LONG,
  );
});

test("with what Helm gave it, the operator brings everything up: pods of the release's images run", async () => {
  operator = world.operator(await environment());
  await world.create(addressPools, {
    metadata: { name: "office" },
    spec: { protocol: "layer2", addresses: ["192.168.50.100-192.168.50.150"] } as never,
  });
  await world.createLoadBalancer();
  await until(
    "the LoadBalancer to be Available",
    async () => (await world.conditions()).Available?.startsWith("True"),
    LONG,
  );
  const { items } = await world.client.list(pods, { namespace: NAMESPACE });
  const images = new Set(items.flatMap(({ spec }) => spec?.containers.map(({ image }) => image) ?? []));
  assert.deepEqual([...images].sort(), ROLES.map((role) => `${REGISTRY}/${role}@${digestOf(role)}`).sort());
  assert.deepEqual(
    operator.problems().filter((record) => /forbidden/i.test(record)),
    [],
  );
});

test("values are changed by an upgrade, and nothing else is", async () => {
  const before = await world.client.get(customResourceDefinitions, "addresspools.genkan.dev");
  await run(change);
  const { spec } = await world.waitFor(deployments, OPERATOR_NAME);
  assert.deepEqual(spec?.template.spec?.imagePullSecrets, [{ name: "registry" }]);
  assert.equal((await environment()).LOG_LEVEL, "debug");
  const after = await world.client.get(customResourceDefinitions, "addresspools.genkan.dev");
  assert.equal(after?.metadata.generation, before?.metadata.generation);
  assert.ok(await world.get(addressPools, "office"));
});

test("uninstall by the page: the nodes are clean first, then the operator goes, the configuration stays", async () => {
  await run(remove);
  await until("the speakers to end", () => NODES.every((node) => kubelets.ended.has(node)), LONG);
  await until(
    "the operator's objects to go",
    async () => {
      const left = await Promise.all([
        world.get(deployments, OPERATOR_NAME),
        world.get(networkPolicies, "genkan-operator"),
      ]);
      return left.every((object) => object === undefined);
    },
    LONG,
  );
  assert.ok(await world.get(addressPools, "office"));
  assert.ok(await world.client.get(customResourceDefinitions, "loadbalancers.genkan.dev"));
});

test("and installed once more, it takes the CRDs that stayed", async () => {
  await operator.stop();
  await run(install);
  assert.ok(await world.waitFor(deployments, OPERATOR_NAME));
});

test("what helm template prints is taken by the API server, namespace included, and the operator's pod is restricted enough", async () => {
  await run(
    "kubectl create namespace strict && kubectl label namespace strict pod-security.kubernetes.io/warn=restricted",
  );
  const chart = "dist/genkan-chart-0.1.0.tgz";
  const applied = await run(
    `helm template genkan ${chart} -n other --set namespace.create=true > all.yaml
     kubectl create namespace other
     kubectl apply --server-side --force-conflicts --dry-run=server -f all.yaml`,
  );
  assert.match(applied, /^namespace\/other serverside-applied/m);
  const strictly = (change: string): Promise<string> =>
    run(`helm template genkan ${chart} -n strict --show-only templates/deployment.yaml |
      sed '${change}' | kubectl apply --dry-run=server -f - 2>&1`);
  assert.equal(
    await strictly(""),
    "deployment.apps/genkan-operator-controller-manager created (server dry run)\n",
  );
  assert.match(
    await strictly("s/allowPrivilegeEscalation: false/allowPrivilegeEscalation: true/"),
    /would violate PodSecurity "restricted/,
  );
});
