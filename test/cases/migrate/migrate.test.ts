/** MetalLB's manifests beside what is made of them, notes and all; and that whatever goes in, what comes out is admitted. */
import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { test } from "node:test";
import fc from "fast-check";
import { exitCodeOf, forPeople } from "#cli/check/print.ts";
import { checkDocuments } from "#cli/check/verdicts.ts";
import { type Documents, type Found, NO_DOCUMENTS, readDocuments } from "#cli/documents.ts";
import { runMigrate } from "#cli/migrate/command.ts";
import { type Migration, migrate } from "#cli/migrate/convert.ts";
import { asYaml } from "#cli/migrate/print.ts";

const OPTIONS = { namespace: "genkan-system", prefer: "bgp" } as const;
const DIRECTORY = new URL("./", import.meta.url);
const textOf = (name: string): Promise<string> => readFile(new URL(name, DIRECTORY), "utf8");

function assertAdmitted(migration: Migration): void {
  const report = checkDocuments(readDocuments("made", asYaml(migration)), {
    ...OPTIONS,
    isNamespaceGiven: true,
  });
  assert.equal(exitCodeOf(report), 0, forPeople(report));
  assert.equal(report.objects.length, migration.objects.length);
}

const KIND_OF: Readonly<Record<string, string>> = { IPAddressPool: "AddressPool", MetalLB: "LoadBalancer" };

/**
 * Each object is there again, or a note is about it, or others say what it said. Where something cannot be read, nothing
 * is made, and that is said.
 */
function assertNothingLost({ found }: Documents, { objects, notes, unreadable }: Migration): void {
  if (unreadable.length > 0) return;
  for (const { object } of found) {
    const name = (object.metadata as { name?: string } | undefined)?.name ?? "";
    if (!object.apiVersion.includes("metallb.io/")) continue;
    if (/Advertisement|Community/.test(object.kind)) continue;
    const kind = KIND_OF[object.kind] ?? object.kind;
    const made = kind === "LoadBalancer" ? "loadbalancer" : name;
    const isThere = objects.some(
      (each) => each.kind === kind && (each.metadata as { name: string }).name === made,
    );
    const isTold = notes.some((note) => note.object === `${object.kind} "${name}"`);
    assert.ok(isThere || isTold, `${object.kind} "${name}" is gone without a word`);
  }
}

const inputs = (await readdir(DIRECTORY)).filter((name) => name.includes(".in."));

/** The manifests as they are printed; where there are none, what people are told instead. */
function outcome(documents: Documents): string {
  const { text, told, exitCode } = runMigrate(documents, { ...OPTIONS, output: "yaml" });
  return `# exit ${exitCode}\n${text === "" ? told.replaceAll(/^(?=.)/gm, "# ") : text}`;
}

test("there are cases", () => assert.ok(inputs.length >= 30));

for (const name of inputs) {
  test(`migrate: ${name}`, async () => {
    const read = readDocuments(name, await textOf(name));
    // Files are named by their users.
    const strangers = read.strangers.map((each) => ({ ...each, isNamed: true }));
    const documents = { ...read, strangers };
    assert.equal(outcome(documents), await textOf(name.replace(/\.in\..*/, ".out.yaml")));
    const migration = migrate(documents, OPTIONS);
    assertAdmitted(migration);
    assertNothingLost(documents, migration);
  });
}

const selector = fc.record({
  matchLabels: fc.dictionary(fc.constantFrom("a", "b c"), fc.constantFrom("1", "-")),
});
const FIELDS: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  protocol: fc.constantFrom("layer2", "bgp", "arp"),
  addresses: fc.array(
    fc.constantFrom("10.0.0.0/24", "10.0.0.9-10.0.1.9", "fd00::/64", "10.0.0.1", "::1-1.1.1.1"),
  ),
  ipAddressPools: fc.array(fc.constantFrom("x0", "x1", "gone")),
  ipAddressPoolSelectors: fc.array(selector),
  nodeSelectors: fc.array(selector),
  serviceSelectors: fc.array(selector),
  interfaces: fc.array(fc.constantFrom("eth0", "eth 1")),
  communities: fc.array(
    fc.oneof(
      fc.constantFrom("1:1", "alias", "70000:1"),
      fc.record({ name: fc.constant("alias"), value: fc.constantFrom("1:1", "x") }),
    ),
  ),
  aggregationLength: fc.integer({ min: 0, max: 40 }),
  localPref: fc.integer({ min: -1, max: 5 }),
  bgpAdvertisements: fc.array(
    fc.record({
      aggregationLength: fc.integer({ min: 0, max: 40 }),
      communities: fc.constant(["1:1", "1:1"]),
    }),
  ),
  serviceAllocation: fc.record({
    priority: fc.integer({ min: -2, max: 2 }),
    namespaces: fc.array(fc.constantFrom("a", "A")),
  }),
  myASN: fc.integer({ min: 0, max: 2 }),
  peerASN: fc.integer({ min: 0, max: 2 }),
  dynamicASN: fc.constantFrom("", "internal", "external"),
  peerAddress: fc.constantFrom("10.0.0.1", "10.0.0.2", "fd00::1", "x", ""),
  routerID: fc.constantFrom("1.1.1.1", "2.2.2.2", ""),
  holdTime: fc.constantFrom("0s", "9s", "1s", "30h", "x", 5),
  keepaliveTime: fc.constantFrom("0s", "3s", "9s", "30h"),
  ebgpMultiHop: fc.boolean(),
  password: fc.constantFrom("", "p"),
  passwordSecret: fc.constantFrom({}, { name: "" }, { name: "s", namespace: "default" }, "x"),
  bfdProfile: fc.constantFrom("", "x0"),
  vrf: fc.constantFrom("", "red"),
  receiveInterval: fc.integer({ min: 0, max: 70_000 }),
  logLevel: fc.constantFrom("", "info", "loud"),
  speakerConfig: fc
    .anything({ maxDepth: 1 })
    .map((value) => JSON.parse(JSON.stringify(value ?? null)) as unknown),
};
const spec = fc.oneof(
  { weight: 9, arbitrary: fc.record(FIELDS, { requiredKeys: [] }) },
  { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 2 }) },
);
const KINDS = [
  "MetalLB",
  "AddressPool",
  "IPAddressPool",
  "L2Advertisement",
  "BGPAdvertisement",
  "Community",
  "BGPPeer",
  "BFDProfile",
];
const found: fc.Arbitrary<Found> = fc
  .record({ kind: fc.constantFrom(...KINDS), name: fc.constantFrom("x0", "x1", "x2", "X"), spec })
  .map(({ kind, name, spec: each }) => ({
    file: "f",
    line: 1,
    object: { apiVersion: "metallb.io/v1beta1", kind, metadata: { name }, spec: each },
  }));

test("who forwards at first is written where it is asked for, whether or not a source has a LoadBalancer", () => {
  const pool = { kind: "IPAddressPool", metadata: { name: "a" }, spec: { addresses: ["10.0.0.0/24"] } };
  const balancer = { kind: "MetalLB", metadata: { name: "metallb" }, spec: { logLevel: "debug" } };
  for (const [objects, others] of [
    [[pool], {}],
    [[pool, balancer], { logLevel: "debug" }],
  ] as const) {
    const list = objects.map((object) => ({
      ...{ file: "f", line: 1 },
      object: { apiVersion: "metallb.io/v1beta1", ...object },
    }));
    const migration = migrate({ ...NO_DOCUMENTS, found: list }, { ...OPTIONS, forwarding: "KubeProxy" });
    assertAdmitted(migration);
    const made = migration.objects.find(({ kind }) => kind === "LoadBalancer");
    assert.deepEqual(made?.spec, { ...others, forwarding: { mode: "KubeProxy" } });
  }
});

test("whatever goes in, what comes out is admitted and nothing is lost", () => {
  fc.assert(
    fc.property(fc.array(found, { maxLength: 8 }), (list) => {
      const documents = { ...NO_DOCUMENTS, found: list };
      const migration = migrate(documents, OPTIONS);
      assertAdmitted(migration);
      assertNothingLost(documents, migration);
    }),
    { numRuns: 1_000 },
  );
});

const OTHERS: readonly (readonly [apiVersion: string, kind: string])[] = [
  ["v1", "ConfigMap"],
  ["v1", "Service"],
  ["apps/v1", "DaemonSet"],
  ["helm.toolkit.fluxcd.io/v2", "HelmRelease"],
  ["argoproj.io/v1alpha1", "Application"],
  ["purelb.io/v1", "ServiceGroup"],
  ["purelb.io/v1", "LBNodeAgent"],
  ["cilium.io/v2", "CiliumLoadBalancerIPPool"],
  ["cilium.io/v2", "CiliumL2AnnouncementPolicy"],
  ["cilium.io/v2", "CiliumBGPClusterConfig"],
  ["cilium.io/v2", "CiliumBGPAdvertisement"],
  ["cilium.io/v2alpha1", "CiliumBGPPeeringPolicy"],
  ["network.kubesphere.io/v1alpha2", "Eip"],
  ["network.kubesphere.io/v1alpha2", "BgpPeer"],
];
/** Names of fields that the readers look at, with values of any shape below them. */
const word = fc.constantFrom(
  ...[
    "spec",
    "values",
    "configInline",
    "source",
    "helm",
    "chart",
    "metallb",
    "local",
    "v4pool",
    "pool",
    "blocks",
  ],
  ...["cidr", "virtualRouters", "neighbors", "bgpInstances", "peers", "address", "type", "ports", "template"],
  ...[
    "serviceSelector",
    "matchLabels",
    "address-pools",
    "conf",
    "advertisements",
    "containers",
    "env",
    "name",
  ],
);
const { tree } = fc.letrec((tie) => ({
  tree: fc.oneof(
    { depthSize: "small" },
    fc.constantFrom("10.0.0.0/28", "metallb", "LoadBalancer", "address-pools: [{}]", "x", true, 1, null),
    fc.array(tie("tree"), { maxLength: 3 }),
    fc.dictionary(word, tie("tree"), { maxKeys: 5 }),
  ),
}));

test("objects of others, however odd, end in admitted manifests or in words", () => {
  const object = fc
    .record({
      of: fc.constantFrom(...OTHERS),
      spec: tree,
      data: tree,
      name: fc.constantFrom("kubevip", "x0", "x1"),
    })
    .map(({ of: [apiVersion, kind], name, ...rest }) => ({
      file: "f",
      line: 1,
      object: { apiVersion, kind, metadata: { name }, ...rest },
    }));
  const stranger = fc
    .oneof(
      tree,
      fc.string().map((text) => `virtual_server ${text} {`),
    )
    .map((value) => ({ file: "g", line: 1, message: "is none", value }));
  fc.assert(
    fc.property(
      fc.array(object, { maxLength: 5 }),
      fc.array(stranger, { maxLength: 2 }),
      (list, strangers) => {
        assertAdmitted(migrate({ ...NO_DOCUMENTS, found: list, strangers }, OPTIONS));
      },
    ),
    { numRuns: 1_000 },
  );
});
