/**
 * A stranger's hour: docs/install.md is the script, from a clone to a Service that answers and back to a cluster without
 * Genkan, on a lab that knows nothing of it. Where the page says to put in something of one's own, this puts in the lab's.
 */
import assert from "node:assert/strict";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { after, before } from "node:test";
import { CHECKOUT } from "#hack/common/checkout.ts";
import { run } from "#hack/common/command.ts";
import { BIN_DIRECTORY, layoutOf } from "#hack/lab/layout.ts";
import { kubeconfigOf } from "#hack/lab/members.ts";
import { INSTANCE, until } from "#test/e2e/patience.ts";
import { ask, bringUp, e2e, lab, NODES, takeDown, tell, untouched } from "#test/e2e/suite.ts";
import { commandsOf, runBlock } from "#test/integration/page-commands.ts";

const PAGE = "docs/install.md";
const layout = layoutOf(INSTANCE);
/** In the checkout, which the nodes see, too. */
const directory = join(CHECKOUT, "build/stranger");
const SETTINGS = { VERSION: "v0.1.0", REGISTRY: "registry.example.com/genkan" };

/** Who forwards: KubeProxy where this machine is too busy for nodes in a guest. */
const MODE = process.env.FORWARDING === "KubeProxy" ? "KubeProxy" : "IPVS";

/** What the page has for the reader to replace -> what the lab has. */
const OWN: readonly (readonly [string, string])[] = [
  ["192.168.50.100-192.168.50.150", `172.30.${INSTANCE}.200-172.30.${INSTANCE}.250`],
  // No registry can be reached from the lab: the test server is in every node.
  ["--image=nginx", "--image=genkan.dev/echo:v0.1.0"],
  ["--port=80 --type", "--port=80 --target-port=8080 --type"],
  // As the page says for nodes without the kernel's modules.
  ...(MODE === "KubeProxy" ? [["spec: {}", "spec: { forwarding: { mode: KubeProxy } }"] as const] : []),
];

before(async () => {
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory, { recursive: true });
  await bringUp(["--forwarding", MODE]);
});
after(async () => {
  await takeDown();
  await rm(directory, { recursive: true, force: true });
});

async function perform(block: string): Promise<string> {
  const command = OWN.reduce((text, [theirs, own]) => text.replaceAll(theirs, own), block);
  for (const line of command.split("\n")) tell(`  $ ${line}`);
  return runBlock(command, { kubeconfig: kubeconfigOf(layout), directory, env: SETTINGS });
}

e2e("build: the release of the page", async () => {
  const [settings = "", build = ""] = commandsOf(PAGE, "Build, push, install");
  for (const [name, value] of Object.entries(SETTINGS))
    assert.ok(settings.includes(`${name}=${value}`), settings);
  tell(`  $ ${build}`);
  // For the lab's own architecture only: the other one is built by test/release.
  const environment = { ...SETTINGS, ARCHITECTURES: "amd64", OUTPUT: join(directory, "dist") };
  await run(["sh", "-euc", build], { cwd: CHECKOUT, environment });
});

e2e("without a registry: each node imports the images, and the manifest is applied", async () => {
  const [load = "", apply = ""] = commandsOf(PAGE, "Without access to the internet");
  await Promise.all(
    NODES.map(async (node) => {
      const socket = `for s in /mnt/lab/${node} ${layout.directory}/nodes/${node}; do [ ! -S $s/containerd.sock ] || CONTAINERD_ADDRESS=$s/containerd.sock; done`;
      const script = `${socket}\nexport CONTAINERD_ADDRESS PATH=${BIN_DIRECTORY}:$PATH\ncd ${directory}\n${load}`;
      tell(`  on ${node}: ${load.split("\n")[1]?.trim()}`);
      await lab().on(node, ["sh", "-euc", script]);
    }),
  );
  await perform(apply);
  // Nobody types as fast as this.
  await lab().kubectl(["wait", "crd", "--all", "--for=condition=Established", "--timeout=60s"]);
});

e2e("the LoadBalancer and a pool, and all of it becomes available", async () => {
  for (const block of commandsOf(PAGE, "The controllers and speakers")) await perform(block);
  interface Pods {
    items: { spec: { containers: { image: string }[] } }[];
  }
  const { items } = await lab().get<Pods>(["pods", "-n", "genkan-system"]);
  const images = new Set(items.flatMap(({ spec }) => spec.containers.map(({ image }) => image)));
  const built = ["controller", "operator", "speaker"].map(
    (role) => `${SETTINGS.REGISTRY}/${role}:${SETTINGS.VERSION}`,
  );
  assert.deepEqual([...images].sort(), built);
});

e2e("a first Service answers a client outside of the cluster", async () => {
  let shown = "";
  for (const block of commandsOf(PAGE, "A first Service")) shown = await perform(block);
  assert.match(shown, /hello +LoadBalancer/);
  const [address = ""] = await lab().addresses("hello", 1);
  await until("an answer", async () => (await ask(address)).client !== "", {
    deadlineMs: 120_000,
    everyMs: 500,
  });
});

e2e("what the manifest installed goes by the manifest, and every node is as it was", async () => {
  tell("  $ kubectl delete -f dist/install.yaml");
  await lab().kubectl(["delete", "-f", join(directory, "dist/install.yaml"), "--timeout=300s"]);
  for (const node of NODES) await untouched(node);
  const left = await lab().kubectl(["get", "namespaces,crds", "-o", "name"]);
  assert.doesNotMatch(left, /genkan/);
});
