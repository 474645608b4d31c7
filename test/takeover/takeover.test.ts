/**
 * A cluster that MetalLB serves goes over to Genkan, by the commands of docs/migrate.md in their order, while a client
 * asks every address again and again. One lab; the cases build on each other. kube-proxy forwards for MetalLB, and the
 * speakers do at the end.
 */
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before } from "node:test";
import { ROOT } from "#hack/demo/shell.ts";
import { layoutOf } from "#hack/lab/layout.ts";
import { kubeconfigOf } from "#hack/lab/members.ts";
import { NAMESPACE } from "#test/e2e/installation.ts";
import { INSTANCE, until } from "#test/e2e/patience.ts";
import { answered, bringUp, e2e, known, lab, NODES, remember, takeDown, tell } from "#test/e2e/suite.ts";
import { requireLossless, traffic } from "#test/e2e/traffic.ts";
import { commandsOf, runBlock } from "#test/integration/page-commands.ts";
import { ensureMetalLb, type MetalLb } from "#test/takeover/metallb.ts";

const PAGE = "docs/migrate.md";
const HEADING = "Take over from MetalLB";
const THEIRS = "metallb-system";
const PINNED = `172.30.${INSTANCE}.222`;

let metallb: MetalLb;
/** What the commands of the page are run in: a checkout as far as they can see. */
let directory = "";

before(async () => {
  metallb = await ensureMetalLb();
  directory = await mkdtemp(join(tmpdir(), "genkan-takeover-"));
  for (const folder of ["cli", "config"]) await symlink(join(ROOT, folder), join(directory, folder));
  await writeFile(join(directory, "metallb-native.yaml"), metallb.manifest);
  await bringUp();
  await lab().lab(["load-images", ...metallb.archives]);
});
after(async () => {
  await takeDown();
  if (directory !== "") await rm(directory, { recursive: true, force: true });
});

/** As people have it: one pool of both families, announced by layer 2. */
const CONFIGURATION = [
  {
    apiVersion: "metallb.io/v1beta1",
    kind: "IPAddressPool",
    metadata: { name: "office", namespace: THEIRS },
    spec: {
      addresses: [
        `172.30.${INSTANCE}.200-172.30.${INSTANCE}.250`,
        `fd30:${INSTANCE}::200-fd30:${INSTANCE}::2ff`,
      ],
    },
  },
  {
    apiVersion: "metallb.io/v1beta1",
    kind: "L2Advertisement",
    metadata: { name: "office", namespace: THEIRS },
    spec: { ipAddressPools: ["office"] },
  },
];

/** Beside Service hello, which has both families: an address asked for, and one that two Services share. */
const SERVICES = [
  serviceOf("pinned", 80, { "metallb.io/loadBalancerIPs": PINNED }),
  serviceOf("shared-web", 80, { "metallb.io/allow-shared-ip": "office" }),
  serviceOf("shared-more", 81, { "metallb.io/allow-shared-ip": "office" }),
];

function serviceOf(name: string, port: number, annotations: Record<string, string>): object {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace: "default", annotations },
    spec: { type: "LoadBalancer", selector: { app: "hello" }, ports: [{ port, targetPort: 8080 }] },
  };
}

e2e("MetalLB serves the cluster", async () => {
  tell(`MetalLB ${metallb.version}`);
  await lab().kubectl(["apply", "-f", join(directory, "metallb-native.yaml")]);
  await lab().kubectl(["rollout", "status", "daemonset/speaker", "-n", THEIRS, "--timeout=300s"]);
  await until(
    "MetalLB's webhook to take its configuration",
    async () => {
      await lab().apply({ apiVersion: "v1", kind: "List", items: CONFIGURATION });
      return true;
    },
    { deadlineMs: 180_000, everyMs: 1_000 },
  );
  await lab().kubectl(["apply", "-f", join(ROOT, "hack/demo/echo.yaml")]);
  await lab().apply({ apiVersion: "v1", kind: "List", items: SERVICES });
  await lab().kubectl(["rollout", "status", "deployment/hello", "--timeout=300s"]);
  const addresses = await given();
  assert.equal(addresses["shared-web"]?.[0], addresses["shared-more"]?.[0]);
  assert.deepEqual(addresses.pinned, [PINNED]);
  remember([...new Set(Object.values(addresses).flat())]);
  assert.equal(known().length, 4);
  await answered({ seesClient: false });
});

/** Service -> its addresses. */
async function given(): Promise<Record<string, string[]>> {
  return {
    hello: (await lab().addresses("hello", 2)).sort(),
    pinned: await lab().addresses("pinned", 1),
    "shared-web": await lab().addresses("shared-web", 1),
    "shared-more": await lab().addresses("shared-more", 1),
  };
}

e2e("the steps of the page keep every address, and no request finds nobody", async () => {
  const before = await given();
  const [convert = "", install = "", stop = "", start = "", look = "", remove = "", ...more] = commandsOf(
    PAGE,
    HEADING,
  );
  assert.deepEqual(more, []);
  const observed = await traffic("takeover from MetalLB", known(), {
    cause: async () => {
      await perform("1. convert", convert);
      assert.match(await readFile(join(directory, "genkan.yaml"), "utf8"), /kind: AddressPool/);
      await perform("2. install", install);
      // Nobody types as fast as this.
      await lab().kubectl(["wait", "crd", "--all", "--for=condition=Established", "--timeout=60s"]);
      await perform("3. stop their controller", stop);
      await perform("4. start ours", start);
      assert.deepEqual(await given(), before);
      const said = await until("all to be well", () => perform("5. look", look), {
        deadlineMs: 60_000,
        everyMs: 2_000,
      });
      assert.match(said, /pinned/);
      await perform("6. remove MetalLB", remove);
    },
    forMs: 30_000,
    // What is lost is sent again by TCP, and late: no request may be lost for good.
    timeoutMs: 5_000,
  });
  assert.deepEqual(await given(), before);
  // While kube-proxy forwards, a connection ends if it is open when another node begins to answer: each node picks its own pod.
  requireLossless(observed, 1);
});

async function perform(step: string, block: string): Promise<string> {
  tell(`  ${step}`);
  return runBlock(block, { kubeconfig: kubeconfigOf(layoutOf(INSTANCE)), directory });
}

e2e("it is Genkan that answers now, and nothing of MetalLB is left", async () => {
  for (const address of known())
    assert.ok((NODES as readonly string[]).includes(await lab().owner(address)), address);
  // What kube-proxy forwards shows pods the node instead.
  await answered({ seesClient: true });
  const crds = await lab().kubectl(["get", "crds", "-o", "name"]);
  assert.doesNotMatch(crds, /metallb/);
  assert.doesNotMatch(await lab().kubectl(["get", "namespaces", "-o", "name"]), /metallb/);
  await lab().available();
  // A new Service gets an address that nobody has.
  await lab().apply(serviceOf("late", 80, {}));
  const [late = ""] = await lab().addresses("late", 1);
  assert.ok(late !== "" && !known().includes(late), late);
  assert.match(await lab().kubectl(["get", "loadbalancer", "-n", NAMESPACE]), /loadbalancer/);
});
