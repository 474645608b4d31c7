/**
 * Uninstall as tools do it, which know nothing of orders: all at once and in the foreground, Argo CD by waves, helm without
 * the namespace. Against a real API server with Kubernetes' own controllers.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { LOADBALANCER_NAME } from "#api/names.ts";
import { addressPools, services } from "#common/kube/resource.ts";
import { run } from "#hack/common/command.ts";
import { type Manifest, readObjects, toYaml } from "#hack/release/manifests.ts";
import { NAMESPACE } from "#test/integration/operator-process.ts";
import { HELD, installForEach, KUBECTL, LONG } from "#test/integration/whole-installation.ts";
import { until } from "#test/until.ts";

const installed = installForEach();

const CONFIGURED: readonly (readonly [kind: string, name: string])[] = [
  ["LoadBalancer", LOADBALANCER_NAME],
  ["AddressPool", "default"],
];

test("all of it and what was configured at once, in the foreground", async () => {
  // Its finalizer may stay, as the page says.
  await installed().world.client.patch(services, {
    ...HELD,
    type: "merge",
    body: { metadata: { finalizers: null } },
  });
  const inForeground = (...argv: string[]) =>
    installed().kubectl("delete", ...argv, "--cascade=foreground", "--wait=false", "--ignore-not-found");
  await Promise.all([
    inForeground("-k", "config/default"),
    ...CONFIGURED.map(([kind, name]) => inForeground(kind, name, "-n", NAMESPACE)),
  ]);
  await installed().untilGoneWithNamespace();
  await installed().untilCrdsGone();
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
    await run([KUBECTL, "--kubeconfig", installed().world.plane.plane.kubeconfig, ...argv], {
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
    await installed().untilGoneWithNamespace();
    await installed().untilCrdsGone();
  });
}

test("the operator and its rights first, as helm uninstall does, which leaves the namespace", async () => {
  await installed().kubectl("delete", "-k", "config/operator");
  await installed().operator.stop();
  await installed().kubectl("delete", "-k", "config/rbac");
  // What is configured can be changed: nobody is left who would take the webhook configuration away.
  await until(
    "a change to be let in",
    async () => {
      await installed().world.patch(addressPools, "default", { metadata: { labels: { a: "b" } } });
      return true;
    },
    LONG,
  );
  assert.equal(installed().kubelets.ended.size, 0);
  await installed().deleted("loadbalancer", "loadbalancer", "-n", NAMESPACE);
  await installed().untilClean();
  await installed().deleted("ns", NAMESPACE);
  await installed().untilGoneWithNamespace();
});
