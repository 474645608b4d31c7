/**
 * Uninstall by kubectl, in every order that people use, against a real API server with Kubernetes' own controllers:
 * nothing stays Terminating, every node is cleaned, nothing of the operator's making is left, and an installation
 * afterwards finds nothing in its way. What tools do is in operator-uninstall-tools.test.ts.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { events, namespaces } from "#common/kube/resource.ts";
import { NAMESPACE } from "#test/integration/operator-process.ts";
import { commandsOf, runBlock } from "#test/integration/page-commands.ts";
import { CRDS, installForEach, LONG, NODES } from "#test/integration/whole-installation.ts";
import { until } from "#test/until.ts";

const installed = installForEach();

/** The commands of docs/uninstall.md: all at once, and with waiting. */
const page = async (number: 0 | 1): Promise<void> => {
  const block = commandsOf("docs/uninstall.md", "Remove Genkan")[number];
  assert.ok(block !== undefined);
  await runBlock(block, { kubeconfig: installed().world.plane.plane.kubeconfig });
};

test("kubectl delete -k config/default, with everything in place", async () => {
  assert.match(
    commandsOf("docs/uninstall.md", "Remove Genkan")[0] ?? "",
    /^kubectl delete -k config\/default$/,
  );
  await page(0);
  await installed().untilGoneWithNamespace();
  await installed().untilCrdsGone();
});

test("the same without an operator, which was down when it came", async () => {
  await installed().operator.stop("SIGKILL");
  await installed().deleted("-k", "config/default");
  await installed().untilGoneWithNamespace();
});

test("kubectl delete ns, and the rest afterwards", async () => {
  await installed().deleted("ns", NAMESPACE);
  await installed().untilGoneWithNamespace();
  await installed().deleted("-k", "config/default", "--ignore-not-found");
  await installed().untilCrdsGone();
});

test("kubectl delete ns in the foreground, which ends the operator with the namespace", async () => {
  // The controllers' ClusterRole belongs to the namespace, so it goes before they have ended.
  const deletion = installed().deleted("ns", NAMESPACE, "--cascade=foreground");
  await until(
    "the namespace to end",
    async () =>
      (await installed().world.client.get(namespaces, NAMESPACE))?.metadata.deletionTimestamp !== undefined,
  );
  await installed().operator.stop();
  await deletion;
  await installed().untilGoneWithNamespace();
});

test("the CRDs first", async () => {
  await installed().deleted("crd", ...CRDS);
  await installed().untilClean();
  await installed().untilNothingInCluster();
  await installed().deleted("-k", "config/default", "--ignore-not-found");
  await installed().untilGoneWithNamespace();
});

test("the LoadBalancer first: who deletes it in the foreground waits until the nodes are clean", async () => {
  const deletion = page(1);
  await until(
    "the LoadBalancer to go",
    async () => (await installed().world.loadBalancer()) === undefined,
    LONG,
  );
  assert.deepEqual([...installed().kubelets.ended.keys()].sort(), NODES);
  await deletion;
  await installed().untilClean();
  await installed().untilGoneWithNamespace();
});

test("the LoadBalancer alone: what was made goes with it, and the namespace stays", async () => {
  await installed().deleted("loadbalancer", "loadbalancer", "-n", NAMESPACE);
  await installed().untilClean();
  await installed().untilNothingInCluster();
  await installed().untilNothingInNamespace();
});

test("a node whose kubelet is dead: an event at the node says that it was left", async () => {
  installed().kubelets.dead.add("node2");
  await installed().deleted("loadbalancer", "loadbalancer", "-n", NAMESPACE);
  const told = await until(
    "a node to be told of",
    async () => {
      const { items } = await installed().world.client.list(events, { namespace: "default" });
      const left = items.filter(({ reason }) => reason === "NodeLeft");
      return left.length > 0 ? left : undefined;
    },
    { deadlineMs: 120_000 },
  );
  assert.deepEqual(
    told.map(({ involvedObject: { kind, name } }) => `${kind} ${name}`),
    ["Node node2"],
  );
  assert.equal(installed().kubelets.ended.get("node1"), "LoadBalancerAbsent");
  await installed().untilNothingInCluster();
});
