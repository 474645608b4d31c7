/**
 * docs/install.md is the script: its commands, one after the other, against a real API server with Kubernetes' own
 * controllers. The release is built with a small program in node's place, which spares its time; test/release builds and
 * pushes a real one. The kubelets are played.
 */
import assert from "node:assert/strict";
import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { OPERATOR_NAME } from "#api/names.ts";
import {
  addressPools,
  type Deployment,
  daemonSets,
  deployments,
  loadBalancers,
  secrets,
  serviceAccounts,
} from "#common/kube/resource.ts";
import { hostPlatform } from "#hack/images/platform.ts";
import { buildRelease, type Release } from "#hack/release/build.ts";
import { Kubelets } from "#test/integration/kubelets.ts";
import { NAMESPACE, type OperatorProcess, OperatorWorld } from "#test/integration/operator-process.ts";
import { commandsOf, runBlock } from "#test/integration/page-commands.ts";
import { until } from "#test/until.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const PAGE = "docs/install.md";
const NODES = ["node1"];
const VERSION = "v0.1.0";
const REGISTRY = "registry.example.com/genkan";
const ROLES = ["operator", "controller", "speaker"];

let world: OperatorWorld;
let kubelets: Kubelets;
let operator: OperatorProcess | undefined;
let directory: string;
let release: Release;

before(async () => {
  world = await OperatorWorld.start(NODES, { programs: ["kube-controller-manager", "kube-scheduler"] });
  kubelets = await Kubelets.start(world.plane, NAMESPACE, NODES);
  directory = await mkdtemp(join(tmpdir(), "genkan-docs-"));
  await cp(join(ROOT, "config"), join(directory, "config"), { recursive: true });
  const addon = join(directory, "socket.node");
  await writeFile(addon, "");
  release = await buildRelease(
    { version: VERSION, registry: REGISTRY, key: undefined, output: join(directory, "dist") },
    {
      platforms: [{ ...(await hostPlatform(addon)), node: "/usr/bin/env" }],
      scratch: join(directory, "parts"),
    },
  );
});
after(async () => {
  await operator?.stop();
  await kubelets?.[Symbol.asyncDispose]();
  await world?.[Symbol.asyncDispose]();
  if (directory !== undefined) await rm(directory, { recursive: true, force: true });
});

const run = (block: string): Promise<string> =>
  runBlock(block, { kubeconfig: world.plane.plane.kubeconfig, directory, env: { REGISTRY, VERSION } });

async function runAll(heading: string): Promise<string> {
  const blocks = commandsOf(PAGE, heading);
  assert.ok(blocks.length > 0, heading);
  let output = "";
  for (const block of blocks) output += await run(block);
  return output;
}

function imagesOf(deployment: Deployment): string[] {
  const [container] = deployment.spec?.template.spec?.containers ?? [];
  const named = (name: string) => container?.env?.find((variable) => variable.name === name)?.value ?? "";
  return [container?.image ?? "", named("CONTROLLER_IMAGE"), named("SPEAKER_IMAGE")];
}

const applied = async (): Promise<string[]> => imagesOf(await world.waitFor(deployments, OPERATOR_NAME));

test("three commands: what was built is applied, with images by digest", async () => {
  const [settings = "", build, push = "", apply = ""] = commandsOf(PAGE, "Build, push, install");
  assert.ok(settings.includes(`VERSION=${VERSION} REGISTRY=${REGISTRY}`), settings);
  assert.equal(build, "make release");
  assert.match(push, /oci-archive:dist\/\$role\.oci\.tar docker:\/\/\$REGISTRY\/\$role:\$VERSION$/m);
  await run(apply);
  assert.deepEqual(
    await applied(),
    ROLES.map((role) => release.images.get(role)),
  );
});

test("without a registry: the images that were imported are named by their tag", async () => {
  const [, apply = ""] = commandsOf(PAGE, "Without access to the internet");
  await run(apply);
  assert.deepEqual(
    await applied(),
    ROLES.map((role) => `${REGISTRY}/${role}:${VERSION}`),
  );
});

test("with Docker and kustomize, the registry's name goes into all three images", async () => {
  const [build = "", apply = ""] = commandsOf(PAGE, "With Docker and kustomize");
  assert.match(build, /docker build/);
  // What was applied before from another source is not in the way, and what it named goes.
  await run(apply);
  assert.deepEqual(
    await applied(),
    ROLES.map((role) => `${REGISTRY}/${role}:v0.1.0`),
  );
});

test("a private registry: the operator's account has the Secret, and its pod is made anew", async () => {
  const generation = (await world.waitFor(deployments, OPERATOR_NAME)).metadata.generation ?? 0;
  await runAll("A private registry");
  assert.equal((await world.waitFor(secrets, "registry")).type, "kubernetes.io/dockerconfigjson");
  const account = await world.waitFor(serviceAccounts, OPERATOR_NAME);
  assert.deepEqual(account.imagePullSecrets, [{ name: "registry" }]);
  const after = (await world.waitFor(deployments, OPERATOR_NAME)).metadata.generation ?? 0;
  assert.ok(after > generation);
});

test("LoadBalancer and pool are applied, and it becomes available", async () => {
  operator = world.operator();
  await runAll("The controllers and speakers");
  assert.ok(await world.get(addressPools, "office"));
  const conditions = (await world.get(loadBalancers, "loadbalancer"))?.status?.conditions ?? [];
  assert.equal(conditions.find(({ type }) => type === "Available")?.status, "True");
});

test("what a platform puts into the ServiceAccounts stays, and the operator does not write against it", async () => {
  const added = { imagePullSecrets: [{ name: "platform" }], secrets: [{ name: "platform" }] };
  for (const name of ["controller", "speaker"]) await world.patch(serviceAccounts, name, added);
  // Each of these has the operator put something back, for which it looks at everything.
  for (const replicas of [5, 6, 7]) {
    await world.patch(deployments, "controller", { spec: { replicas } });
    await until("the replicas to be put back", async () => {
      const deployment = await world.get(deployments, "controller");
      return deployment?.spec?.replicas === 2;
    });
  }
  for (const name of ["controller", "speaker"]) {
    const { imagePullSecrets } = await world.waitFor(serviceAccounts, name);
    assert.deepEqual(imagePullSecrets, [{ name: "platform" }], name);
  }
  assert.ok(await world.get(daemonSets, "speaker"));
  const writes = operator?.writes() ?? [];
  assert.deepEqual(
    writes.filter((write) => write.includes("ServiceAccount") && !write.endsWith("missing")),
    [],
  );
});

test("a first Service", async () => {
  assert.match(await runAll("A first Service"), /hello +LoadBalancer/);
});
