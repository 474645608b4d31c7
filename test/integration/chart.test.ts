/** The Helm chart: what Helm makes of it is config/default, object by object, and each value does what it says. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { parseAllDocuments, stringify } from "yaml";
import type { Deployment } from "#common/kube/resource.ts";
import { CHECKOUT } from "#hack/common/checkout.ts";
import { run } from "#hack/common/command.ts";
import { ensurePrograms } from "#hack/lab/programs.ts";
import { assembleChart } from "#hack/release/chart.ts";
import type { Manifest } from "#hack/release/manifests.ts";

const KEEP = { "helm.sh/resource-policy": "keep" };
const NAMESPACE = "genkan-system";

let directory = "";
let chart = "";
before(async () => {
  await ensurePrograms(["kube", "helm"]);
  directory = await mkdtemp(join(tmpdir(), "genkan-chart-"));
  chart = join(directory, "genkan");
  await assembleChart(chart, { version: "v0.1.0" });
});
after(() => rm(directory, { recursive: true, force: true }));

const helm = (argv: readonly string[], input = ""): Promise<string> =>
  run([join(CHECKOUT, ".lab/bin/helm"), ...argv], { input, environment: { HELM_CACHE_HOME: directory } });

/** As Kubernetes reads it: YAML 1.1, in which 0440 is octal. */
const parsed = (text: string): Manifest[] =>
  parseAllDocuments(text, { version: "1.1" })
    .map((document) => document.toJS() as Manifest | null)
    .filter((object) => object !== null);

async function template(values: object = {}, namespace = NAMESPACE): Promise<Manifest[]> {
  return parsed(await helm(["template", "genkan", chart, "-n", namespace, "-f", "-"], stringify(values)));
}

const identity = ({ kind, metadata }: Manifest): string =>
  `${kind} ${metadata.namespace ?? ""}/${metadata.name}`;
const byIdentity = (objects: readonly Manifest[]): Map<string, Manifest> =>
  new Map(objects.map((object) => [identity(object), object]));

async function kustomized(): Promise<Map<string, Manifest>> {
  const text = await run([join(CHECKOUT, ".lab/bin/kubectl"), "kustomize", "config/default"], {
    cwd: CHECKOUT,
  });
  return byIdentity(parsed(text));
}

test("by itself it is config/default: without the namespace, and with CRDs that stay", async () => {
  const wanted = await kustomized();
  wanted.delete(`Namespace /${NAMESPACE}`);
  const made = byIdentity(await template());
  assert.ok(made.size > 15);
  assert.deepEqual([...made.keys()].sort(), [...wanted.keys()].sort());
  for (const [name, object] of wanted) {
    const isKept = object.kind === "CustomResourceDefinition";
    const expected = isKept ? { ...object, metadata: { ...object.metadata, annotations: KEEP } } : object;
    assert.deepEqual(made.get(name), expected, name);
  }
});

test("with the namespace, and CRDs that go, it is config/default to the letter", async () => {
  const made = byIdentity(await template({ namespace: { create: true }, crds: { keep: false } }));
  const wanted = await kustomized();
  assert.deepEqual([...made.keys()].sort(), [...wanted.keys()].sort());
  for (const [name, object] of wanted) assert.deepEqual(made.get(name), object, name);
});

test("in another namespace nothing names the usual one", async () => {
  const made = await template({ namespace: { create: true } }, "other");
  const others = made.filter((object) => object.kind !== "CustomResourceDefinition");
  assert.doesNotMatch(JSON.stringify(others), new RegExp(NAMESPACE));
  assert.ok(made.some(({ kind, metadata }) => kind === "Namespace" && metadata.name === "other"));
});

async function deploymentOf(values: object): Promise<Deployment> {
  const found = (await template(values)).find(({ kind }) => kind === "Deployment");
  assert.ok(found !== undefined);
  return found as Deployment;
}

test("each value of the pod takes effect", async () => {
  const values = {
    imagePullPolicy: "Always",
    imagePullSecrets: [{ name: "registry" }],
    resources: { limits: { memory: "256Mi" } },
    nodeSelector: { role: "infra" },
    tolerations: [{ key: "dedicated", operator: "Exists" }],
    affinity: { nodeAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [] } },
    priorityClassName: "mine",
    podAnnotations: { a: "b" },
    logLevel: "debug",
    networkPolicy: { enabled: false },
  };
  const { template: pod } = (await deploymentOf(values)).spec ?? {};
  const [container] = pod?.spec?.containers ?? [];
  assert.deepEqual(pod?.metadata?.annotations, { a: "b" });
  assert.deepEqual(pod?.spec?.imagePullSecrets, [{ name: "registry" }]);
  assert.deepEqual(pod?.spec?.tolerations, values.tolerations);
  assert.deepEqual(pod?.spec?.affinity, values.affinity);
  assert.equal(pod?.spec?.priorityClassName, "mine");
  assert.equal(pod?.spec?.nodeSelector?.role, "infra");
  assert.equal(container?.imagePullPolicy, "Always");
  assert.equal(container?.resources?.limits?.memory, "256Mi");
  const env = Object.fromEntries((container?.env ?? []).map(({ name, value }) => [name, value]));
  assert.deepEqual(
    [env.IMAGE_PULL_POLICY, env.LOG_LEVEL, env.NETWORK_POLICY],
    ["Always", "debug", "Disabled"],
  );
  const kinds = (await template(values)).map(({ kind }) => kind);
  assert.ok(!kinds.includes("NetworkPolicy"));
});

test("without CRDs, and with one's own priority class or none", async () => {
  const kinds = (await template({ crds: { install: false } })).map(({ kind }) => kind);
  assert.ok(!kinds.includes("CustomResourceDefinition"));
  const { template: pod } = (await deploymentOf({ priorityClassName: "" })).spec ?? {};
  assert.equal(pod?.spec?.priorityClassName, undefined);
});

async function imagesOf(values: object): Promise<(string | undefined)[]> {
  const [container] = (await deploymentOf(values)).spec?.template.spec?.containers ?? [];
  const named = (wanted: string) => container?.env?.find(({ name }) => name === wanted)?.value;
  return [container?.image, named("CONTROLLER_IMAGE"), named("SPEAKER_IMAGE")];
}

const ROLES = ["operator", "controller", "speaker"];

test("images: a registry for all, and a digest or a tag for one", async () => {
  const registry = "registry.example.com/genkan";
  assert.deepEqual(
    await imagesOf({ registry }),
    ROLES.map((role) => `${registry}/${role}:v0.1.0`),
  );
  const digest = `sha256:${"a".repeat(64)}`;
  const images = { operator: { digest }, speaker: { repository: "r.example.com/s", tag: "v9" } };
  assert.deepEqual(await imagesOf({ images }), [
    `genkan.dev/operator@${digest}`,
    "genkan.dev/controller:v0.1.0",
    "r.example.com/s:v9",
  ]);
});

test("the chart of a release names its images by digest, and another registry may have the same", async () => {
  const digest = `sha256:${"b".repeat(64)}`;
  const images = new Map(ROLES.map((role) => [role, `registry.example.com/genkan/${role}@${digest}`]));
  await assembleChart(chart, { version: "v0.1.0", images });
  try {
    assert.deepEqual(await imagesOf({}), [...images.values()]);
    assert.deepEqual(
      await imagesOf({ registry: "mirror.example.com:5000" }),
      ROLES.map((role) => `mirror.example.com:5000/${role}@${digest}`),
    );
  } finally {
    await assembleChart(chart, { version: "v0.1.0" });
  }
});

const WRONG: readonly (readonly [what: string, values: object, words: RegExp])[] = [
  ["a name that is none", { image: {} }, /additional properties 'image' not allowed/],
  ["a policy that is none", { imagePullPolicy: "Sometimes" }, /imagePullPolicy/],
  ["a digest that is none", { images: { speaker: { digest: "abc" } } }, /digest/],
  ["a secret without its field", { imagePullSecrets: ["registry"] }, /imagePullSecrets/],
];

for (const [what, values, words] of WRONG)
  test(`refused: ${what}`, () => assert.rejects(template(values), words));

test("helm lint has nothing to say against it", async () => {
  assert.match(await helm(["lint", "--strict", chart]), /1 chart\(s\) linted, 0 chart\(s\) failed/);
});
