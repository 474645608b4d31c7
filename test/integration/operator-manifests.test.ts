import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { promisify } from "node:util";
import { parseAllDocuments } from "yaml";
import { DEFAULT_NAMESPACE, OPERATOR_NAME } from "#api/names.ts";
import type { Deployment, NetworkPolicy } from "#common/kube/resource.ts";
import type { KubeObject } from "#common/kube/wire.ts";
import { ensurePrograms } from "#hack/lab/programs.ts";
import { readOptions } from "#operator/options.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

async function render(folder: string): Promise<KubeObject[]> {
  await ensurePrograms(["kube"]);
  const { stdout } = await promisify(execFile)(".lab/bin/kube", ["kubectl", "kustomize", folder], {
    cwd: ROOT,
    maxBuffer: 1 << 24,
  });
  return parseAllDocuments(stdout).map((document) => document.toJS() as KubeObject);
}

/** The operator's container: its image and the environment with what the kubelet would fill in. */
async function operatorOf(folder: string) {
  const objects = await render(folder);
  const found = objects.find(
    ({ kind, metadata }) => kind === "Deployment" && metadata.name === OPERATOR_NAME,
  );
  const [container] = (found as Deployment).spec?.template.spec?.containers ?? [];
  assert.ok(container !== undefined);
  const env = Object.fromEntries((container.env ?? []).map(({ name, value }) => [name, value ?? name]));
  return { objects, container, options: readOptions(env) };
}

for (const [folder, tag, pullPolicy] of [
  ["config/default", "v0.1.0", "IfNotPresent"],
  ["config/lab", "dev", "Never"],
] as const) {
  test(`${folder}: one tag for the three images, in the operator's own words`, async () => {
    const { container, options } = await operatorOf(folder);
    assert.equal(container.image, `genkan.dev/operator:${tag}`);
    assert.equal(container.imagePullPolicy, pullPolicy);
    const images = { controller: `genkan.dev/controller:${tag}`, speaker: `genkan.dev/speaker:${tag}` };
    assert.deepEqual([options.site.images, options.site.pullPolicy], [images, pullPolicy]);
  });
}

test("config/default: the namespace takes speakers, and all kinds and rights are there", async () => {
  const { objects } = await operatorOf("config/default");
  const namespace = objects.find(({ kind }) => kind === "Namespace");
  assert.equal(namespace?.metadata.name, DEFAULT_NAMESPACE);
  assert.equal(namespace?.metadata.labels?.["pod-security.kubernetes.io/enforce"], "privileged");
  const kinds = objects.map(({ kind }) => kind ?? "").sort();
  const count = (kind: string): number => kinds.filter((found) => found === kind).length;
  assert.equal(count("CustomResourceDefinition"), 5);
  for (const kind of ["NetworkPolicy", "ServiceAccount", "RoleBinding", "ClusterRoleBinding"]) {
    assert.equal(count(kind), 1, kind);
  }
  const roles = objects.filter((object) => object.kind === "Role");
  assert.deepEqual(roles.map(({ metadata }) => metadata.name).sort(), ["genkan-inspect", "genkan-operator"]);
  const clusterRoles = objects.filter(({ kind }) => kind === "ClusterRole");
  assert.deepEqual(clusterRoles.map(({ metadata }) => metadata.name).sort(), [
    "genkan-admin",
    "genkan-inspect",
    "genkan-metrics-reader",
    "genkan-operator",
    "genkan-view",
  ]);
});

test("config/default: the operator is reached at every port that it serves, and at no other", async () => {
  const { objects, container } = await operatorOf("config/default");
  const policy = objects.find(({ kind }) => kind === "NetworkPolicy") as NetworkPolicy | undefined;
  assert.deepEqual(
    policy?.spec?.ingress?.flatMap(({ ports = [] }) => ports.map(({ port }) => port)),
    container.ports?.map(({ name }) => name),
  );
});
