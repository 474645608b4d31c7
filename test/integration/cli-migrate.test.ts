/**
 * Migration through real API servers: MetalLB's objects are read out of a cluster by `genkan migrate`, and what it makes
 * is taken by kubectl, webhook and all.
 */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { readDocuments } from "#cli/documents.ts";
import { migrate } from "#cli/migrate/convert.ts";
import { customResourceDefinitions } from "#common/kube/resource.ts";
import { genkan, KUBECTL, run } from "#test/integration/command.ts";
import { installGenkan } from "#test/integration/controller-process.ts";
import { TestPlane } from "#test/integration/plane.ts";
import { until } from "#test/until.ts";

const CASES = ["before-0.14", "modern", "awkward"];
const OPTIONS = { namespace: "genkan-system", prefer: "bgp" } as const;

/** MetalLB's kinds without its rules: what slipped in past them is in the cases too. */
const KINDS: Readonly<Record<string, readonly [plural: string, versions: readonly string[]]>> = {
  MetalLB: ["metallbs", ["v1beta1"]],
  AddressPool: ["addresspools", ["v1beta1"]],
  IPAddressPool: ["ipaddresspools", ["v1beta1"]],
  L2Advertisement: ["l2advertisements", ["v1beta1"]],
  BGPAdvertisement: ["bgpadvertisements", ["v1beta1"]],
  Community: ["communities", ["v1beta1"]],
  BGPPeer: ["bgppeers", ["v1beta2", "v1beta1"]],
};

let plane: TestPlane;

const kubectl = (argv: readonly string[], input?: string) =>
  run(KUBECTL, ["--kubeconfig", plane.plane.kubeconfig, ...argv], input);

async function installMetallb(): Promise<void> {
  for (const [kind, [plural, versions]] of Object.entries(KINDS)) {
    await plane.client.create(customResourceDefinitions, {
      metadata: { name: `${plural}.metallb.io` },
      spec: {
        group: "metallb.io",
        scope: "Namespaced",
        names: { kind, plural, listKind: `${kind}List`, singular: kind.toLowerCase() },
        versions: versions.map((name, at) => ({
          name,
          served: true,
          storage: at === 0,
          // client-node's types spell it otherwise than the wire does.
          schema: {
            openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } as object,
          },
        })),
      },
    });
  }
  await until("MetalLB's kinds to be served", async () => {
    const { items } = await plane.client.list(customResourceDefinitions);
    return items.every((crd) =>
      crd.status?.conditions?.some(({ type, status }) => type === "Established" && status === "True"),
    );
  });
  await plane.namespace("metallb-system");
}

before(async () => {
  plane = await TestPlane.start();
  await installGenkan(plane);
  await installMetallb();
});
after(async () => plane?.[Symbol.asyncDispose]());

for (const name of CASES) {
  test(`what migrate makes of ${name} is taken by the API server as it stands`, async () => {
    const text = await readFile(new URL(`../cases/migrate/${name}.out.yaml`, import.meta.url), "utf8");
    const applied = await kubectl(["apply", "--dry-run=server", "-f", "-"], text);
    assert.equal(applied.code, 0, applied.err);
    const made = readDocuments(name, text).found.length;
    assert.equal(applied.out.trim().split("\n").length, made);
  });
}

test("out of a living cluster comes what comes out of its files", async () => {
  const file = await readFile(new URL("../cases/migrate/modern.in.yaml", import.meta.url), "utf8");
  const documents = readDocuments("modern", file);
  const metallb = documents.found
    .map(({ object }) => object)
    .filter(({ apiVersion, kind }) => apiVersion.startsWith("metallb.io/") && kind in KINDS);
  const list = JSON.stringify({ apiVersion: "v1", kind: "List", items: metallb });
  const created = await kubectl(["create", "-f", "-"], list);
  assert.equal(created.code, 0, created.err);
  const { code, out, err } = await genkan(["migrate", "--kubeconfig", plane.plane.kubeconfig, "-o", "json"]);
  assert.equal(code, 3, err);
  const byName = (objects: readonly object[]) =>
    objects
      .map((object) => JSON.parse(JSON.stringify(object)) as { kind: string; metadata: { name: string } })
      .sort((a, b) => (`${a.kind}${a.metadata.name}` < `${b.kind}${b.metadata.name}` ? -1 : 1));
  const fromFiles = migrate(
    { ...documents, found: documents.found.filter(({ object }) => object.kind !== "BFDProfile") },
    OPTIONS,
  );
  assert.deepEqual(byName(JSON.parse(out).items), byName(fromFiles.objects));
  assert.match(
    err,
    /BGPPeer "tor": spec\.passwordSecret: copy Secret "tor-password" from "metallb-system" to "genkan-system"/,
  );
  const applied = await kubectl(["apply", "-f", "-"], out);
  assert.equal(applied.code, 0, applied.err);
  const pools = await kubectl(["get", "addresspools.genkan.dev", "-n", "genkan-system", "-o", "name"]);
  assert.deepEqual(
    pools.out.trim().split("\n").sort(),
    ["lab", "office", "public"].map((pool) => `addresspool.genkan.dev/${pool}`),
  );
});

test("a cluster that cannot be read ends with 2 and says why", async () => {
  const { code, out, err } = await genkan(["migrate", "--kubeconfig", "/nonexistent"]);
  assert.deepEqual([code, out], [2, ""]);
  assert.match(err, /nonexistent/);
});
