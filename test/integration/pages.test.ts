/**
 * Commands of pages that have no test of their own, as they stand there, against a real API server with a real controller.
 * hack/page-commands.ts says which commands are run where.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { chmod, mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { loadBalancers } from "#common/kube/resource.ts";
import { CliWorld } from "#test/integration/cli-world.ts";
import { SYSTEM } from "#test/integration/controller-process.ts";
import { commandsOf, manifestsOf, runBlock } from "#test/integration/page-commands.ts";
import { until } from "#test/until.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const POOL = `apiVersion: genkan.dev/v1beta1
kind: AddressPool
metadata: { name: more, namespace: ${SYSTEM} }
spec: { protocol: layer2, addresses: [192.0.2.64-192.0.2.70] }
`;
const PEER = `apiVersion: genkan.dev/v1beta1
kind: BGPPeer
metadata: { name: tor, namespace: ${SYSTEM} }
spec: { myASN: 64512, peerASN: 64513, peerAddress: 172.30.0.253 }
`;
const METALLB = `apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: { name: first, namespace: metallb-system }
spec: { addresses: [192.0.2.80-192.0.2.90] }
---
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: { name: first, namespace: metallb-system }
spec: {}
`;
/** Others' kinds: as much as the API server needs to take their objects. */
const OTHERS = [
  ["servicemonitors", "ServiceMonitor", "monitoring.coreos.com", "v1"],
  ["prometheusrules", "PrometheusRule", "monitoring.coreos.com", "v1"],
  ["ipaddresspools", "IPAddressPool", "metallb.io", "v1beta1"],
  ["l2advertisements", "L2Advertisement", "metallb.io", "v1beta1"],
]
  .map(
    ([plural, kind, group, version]) => `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: { name: ${plural}.${group} }
spec:
  group: ${group}
  scope: Namespaced
  names: { plural: ${plural}, kind: ${kind} }
  versions:
    - name: ${version}
      served: true
      storage: true
      schema: { openAPIV3Schema: { type: object, x-kubernetes-preserve-unknown-fields: true } }
`,
  )
  .join("---\n");
/** Programs that this machine may not have: the first does what it would by another one. */
const STUBS = {
  kustomize: '#!/bin/sh\n[ "$1" = build ] && shift\nexec kubectl kustomize "$@"\n',
  apparmor_parser: '#!/bin/sh\ntest "$1" = --replace && test -f "$2"\n',
  make: "#!/bin/sh\n",
  // As a link to the command does.
  "kubectl-genkan": `#!/bin/sh\nexec node "${ROOT}cli/main.ts" "$@"\n`,
} as const;

let world: CliWorld;
/** As a checkout that somebody works in. */
let directory: string;

before(async () => {
  world = await CliWorld.start();
  await world.addNode(1);
  await world.speak(1, { hearsClaims: true });
  await world.apply(OTHERS);
  assert.equal((await world.kubectl("wait", "--for=condition=Established", "crd", "--all")).code, 0);
  await world.kubectl("create", "namespace", "metallb-system");
  await world.apply(METALLB);
  await world.kubectl("create", "serviceaccount", "viewer", "-n", SYSTEM);
  await world.addPool("office", { addresses: ["192.0.2.1-192.0.2.9"] });
  await world.addService("web");
  await world.addEndpoints("web", { "10.0.0.1": "n1" });
  await world.report(1, { addresses: [{ address: "192.0.2.1", service: "default/web" }], ownedCount: 1 });
  directory = await mkdtemp(join(tmpdir(), "genkan-pages-"));
  for (const name of ["cli", "config"]) await symlink(join(ROOT, name), join(directory, name));
  for (const name of ["bin", "manifests", "mychart/templates", "home/.kube", "dist"])
    await mkdir(join(directory, name), { recursive: true });
  for (const [name, text] of Object.entries(STUBS)) {
    await writeFile(join(directory, "bin", name), text);
    await chmod(join(directory, "bin", name), 0o755);
  }
  const files: Readonly<Record<string, string>> = {
    "pools.yaml": POOL,
    "peers.yaml": PEER,
    "manifests/pool.yaml": POOL,
    "kustomization.yaml": "resources: [pools.yaml]\n",
    "mychart/Chart.yaml": "apiVersion: v2\nname: mychart\nversion: 0.1.0\n",
    "mychart/templates/pool.yaml": POOL,
    "metallb.yaml": METALLB,
    "home/.kube/config": await readFile(world.kubeconfig, "utf8"),
    "webhooks-ca.crt": "-----BEGIN CERTIFICATE-----\n",
    "authority.pem": "-----BEGIN CERTIFICATE-----\n",
  };
  for (const [name, text] of Object.entries(files)) await writeFile(join(directory, name), text);
});
after(async () => {
  await world?.[Symbol.asyncDispose]();
  if (directory !== undefined) await rm(directory, { recursive: true, force: true });
});

/** Runs all blocks below the heading, with names of this cluster in place of those that a reader puts in. */
async function perform(
  page: string,
  heading: string,
  { names = {}, leaveOut = /^$/ }: { names?: Readonly<Record<string, string>>; leaveOut?: RegExp } = {},
): Promise<string> {
  const blocks = commandsOf(page, heading).filter((block) => !leaveOut.test(block));
  assert.ok(blocks.length > 0, `${page}: ${heading}`);
  let out = "";
  for (const block of blocks) {
    const named = Object.entries(names).reduce((text, [name, ours]) => text.replaceAll(name, ours), block);
    const path = `${join(directory, "bin")}${delimiter}${join(ROOT, ".lab/bin")}`;
    out += await runBlock(`export PATH=${path}${delimiter}$PATH\n${named}`, {
      ...{ kubeconfig: world.kubeconfig, directory },
      env: { HOME: join(directory, "home") },
    });
  }
  return out;
}

const specOf = async (): Promise<Readonly<Record<string, unknown>>> =>
  ((await world.plane.client.get(loadBalancers, "loadbalancer", SYSTEM))?.spec ?? {}) as Readonly<
    Record<string, unknown>
  >;

async function got(...argv: readonly string[]): Promise<string> {
  const { out, err, code } = await world.kubectl("get", ...argv, "-o", "json");
  assert.equal(code, 0, err);
  return out;
}

test("manifests are checked from a folder, from files, out of kustomize and out of Helm", async () => {
  const out = await perform("docs/check.md", "Check manifests without a cluster");
  assert.equal(out.match(/AddressPool "more" admitted/g)?.length, 4, out);
  assert.match(out, /BGPPeer "tor" admitted/);
});

test("kubectl takes the command for one of its own", async () => {
  assert.equal(await perform("docs/cli.md", "Where to get it"), "development\n");
});

test("MetalLB's objects are converted, out of files and out of the cluster, and the result is right", async () => {
  await perform("docs/migrate.md", "Come from another load balancer", {
    names: { "/.kube/config > genkan.yaml": "/.kube/config > live.yaml" },
  });
  for (const file of ["genkan.yaml", "live.yaml"])
    assert.match(await readFile(join(directory, file), "utf8"), /192\.0\.2\.80-192\.0\.2\.90/, file);
});

const FIELDS: readonly (readonly [page: string, heading: string, field: string, value: unknown])[] = [
  ["docs/metrics.md", "Traffic of each Service", "serviceTraffic", "Measured"],
  ["docs/metrics.md", "Traces", "tracing", { endpoint: "http://192.0.2.9:4318" }],
];
for (const [page, heading, field, value] of FIELDS)
  test(`${page}, ${heading}: the field is set`, async () => {
    await perform(page, heading);
    assert.deepEqual((await specOf())[field], value);
  });

test("the console is switched on, and a token is made", async () => {
  const out = await perform("docs/console.md", "Look at it", {
    names: { "token NAME": "token viewer" },
    // A port is forwarded by a kubelet, which is not here.
    leaveOut: /port-forward/,
  });
  assert.match(out, /^ey[\w-]+\.[\w-]+\.[\w-]+$/m);
  assert.equal((await specOf()).consoleAccess, "Loopback");
});

test("who forwards is changed", async () => {
  await perform("docs/migrate.md", "Who forwards");
  assert.equal(((await specOf()).forwarding as { mode?: string }).mode, "IPVS");
});

test("a reader of metrics is bound, and what Prometheus' operator watches is applied", async () => {
  await perform("docs/metrics.md", "Scrape them");
  assert.match(await got("clusterrolebinding", "genkan-metrics"), /prometheus-k8s/);
  await perform("docs/metrics.md", "Alerts and a dashboard");
  assert.match(await got("prometheusrules", "-n", SYSTEM), /"alert": "Genkan/);
});

test("callers of the webhook are named in a ConfigMap, and the receiver of calls in the LoadBalancer", async () => {
  await perform("docs/admission.md", "Client certificates");
  const { data } = JSON.parse(await got("configmap", "genkan-webhook-clients", "-n", SYSTEM));
  assert.deepEqual(Object.keys(data).sort(), ["allowed-names", "ca.crt"]);
  await perform("docs/layer2.md", "Where ARP moves no address");
  assert.equal(
    ((await specOf()).layer2 as { ownerChangedSecret?: string }).ownerChangedSecret,
    "owner-calls",
  );
});

test("addresses are spread anew, by the command and by the annotation", async () => {
  assert.match(await perform("docs/cli.md", "Moving addresses"), /nothing moves|would move/);
  await perform("docs/layer2.md", "When a node returns");
  assert.match(await got("loadbalancer", "loadbalancer", "-n", SYSTEM), /genkan\.dev\/rebalance/);
});

test("a bundle is one document", async () => {
  await perform("docs/cli.md", "When you ask for help");
  assert.ok(
    Object.keys(JSON.parse(await readFile(join(directory, "bundle.json"), "utf8"))).includes("answers"),
  );
});

test("everything is looked at once", async () => {
  const out = await perform("docs/troubleshooting.md", "Look at everything once", {
    names: { "service NAME": "service web", "speakerstatus NODE": "speakerstatus n1" },
  });
  for (const word of ["addresspool.genkan.dev/office", "192.0.2.1", "status:"])
    assert.ok(out.includes(word), word);
});

test("a Service's finalizers are seen and taken off", async () => {
  const finalizers = '{"metadata":{"finalizers":["service.kubernetes.io/load-balancer-cleanup"]}}';
  await world.kubectl("patch", "service", "web", "--type=merge", "-p", finalizers);
  const out = await perform("docs/uninstall.md", "Services with a finalizer", {
    names: { "service NAME": "service web" },
  });
  assert.match(out, /load-balancer-cleanup/);
  assert.equal(JSON.parse(await got("service", "web")).metadata.finalizers, undefined);
});

test("an upgrade waits until it may begin, and is applied", async () => {
  const { stdout } = await promisify(execFile)(
    join(ROOT, ".lab/bin/kubectl"),
    ["kustomize", "config/default"],
    { cwd: ROOT, maxBuffer: 1 << 24 },
  );
  await writeFile(join(directory, "dist/install.yaml"), stdout);
  await world.writeStatus(
    loadBalancers,
    { name: "loadbalancer", namespace: SYSTEM },
    {
      // Beyond each generation that it has here: kubectl waits for one that was looked at.
      observedGeneration: 1_000,
      conditions: [
        {
          ...{ type: "Upgradeable", status: "True", reason: "Upgradeable", message: "" },
          lastTransitionTime: "2026-01-01T00:00:00Z",
        },
      ],
    },
  );
  assert.match(await perform("docs/install.md", "Upgrade"), /condition met/);
});

test("a release's key is made, with the part that verifies", async () => {
  await perform("docs/release.md", "Sign");
  assert.match(await readFile(join(directory, "genkan.pub"), "utf8"), /BEGIN PUBLIC KEY/);
});

test("profiles get onto a node, and speakers are told to use them", async () => {
  const node = join(directory, "node");
  await perform("docs/security.md", "Profiles of our own", {
    names: { "/var/lib/kubelet": `${node}/kubelet`, "/etc/apparmor.d": `${node}/apparmor.d` },
  });
  for (const file of ["kubelet/seccomp/genkan-speaker.json", "apparmor.d/genkan-speaker"])
    assert.ok((await stat(join(node, file))).size > 1_000, file);
  assert.deepEqual((await specOf()).speakerConfig, { seccompProfile: "genkan-speaker.json" });
});

test("docs/addresses.md: the examples get what the page says", async () => {
  await world.kubectl("delete", "addresspools", "--all", "-n", SYSTEM);
  await world.kubectl("delete", "service", "web");
  await world.kubectl("create", "namespace", "shop");
  await world.apply(manifestsOf("docs/addresses.md"));
  const more = ["second", "third"].map(
    (name) => `apiVersion: v1
kind: Service
metadata: { name: ${name}, namespace: shop, annotations: { genkan.dev/address-pool: shop } }
spec: { type: LoadBalancer, ports: [{ port: 443 }] }
`,
  );
  // One after the other, so that it is known who comes too late.
  for (const [at, text] of more.entries()) {
    await until("the one before to have its address", async () =>
      (await got("services", "-n", "shop")).includes(`"192.0.2.${32 + at}"`),
    );
    await world.apply(text);
  }
  interface Shown {
    readonly metadata: { readonly name: string };
    readonly status: {
      readonly loadBalancer?: { readonly ingress?: readonly { readonly ip: string }[] };
      readonly conditions?: readonly { readonly type: string; readonly reason: string }[];
    };
  }
  const shown = await until("every Service to have an answer", async () => {
    const { items } = JSON.parse(await got("services", "-A")) as { items: Shown[] };
    const ours = items.filter(
      ({ metadata }) => metadata.name !== "kubernetes" && metadata.name !== "genkan-webhook",
    );
    const told = new Map(
      ours.map(({ metadata, status }) => [
        metadata.name,
        status.loadBalancer?.ingress?.[0]?.ip ??
          status.conditions?.find(({ type }) => type === "genkan.dev/AddressAllocated")?.reason,
      ]),
    );
    return [...told.values()].every((one) => one !== undefined) && told.size === 6 ? told : undefined;
  });
  assert.equal(shown.get("mail"), "192.0.2.15");
  assert.equal(shown.get("dns-udp"), shown.get("dns-tcp"));
  assert.equal(shown.get("dns-udp"), "192.0.2.10");
  assert.deepEqual(
    ["checkout", "second", "third"].map((name) => shown.get(name)),
    ["192.0.2.32", "192.0.2.33", "QuotaExceeded"],
  );
});
