/** `genkan status` and the lists, out of a real API server, with the rights that docs/cli.md names and no others. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ANNOTATION_REBALANCE, LOADBALANCER_NAME } from "#api/names.ts";
import type { Bundle } from "#cli/bundle/bundle.ts";
import { addressPools, leases, loadBalancers, nodes, services } from "#common/kube/resource.ts";
import { Audit } from "#test/integration/audit.ts";
import { watchOnce } from "#test/integration/cli-watch.ts";
import { CliWorld, condition } from "#test/integration/cli-world.ts";
import { KUBECTL, type Ran, run } from "#test/integration/command.ts";
import { SYSTEM } from "#test/integration/controller-process.ts";
import { commandsOf, runBlock } from "#test/integration/page-commands.ts";
import { until } from "#test/until.ts";

const LONG = { deadlineMs: 60_000, everyMs: 200 };
const COMMANDS = [
  ...["status", "services", "owners", "pools", "bgp", "bfd", "plan"].map((name) => [name]),
  ["explain", "web"],
];
const USER = "alice";
/** Who speaks in her name: an audit policy goes by that. */
const IMPERSONATOR = "admin";
/** What the owner of the only address reports. */
const OWNED = {
  ownedCount: 1,
  addresses: [{ address: "172.30.0.100", service: "default/web", links: ["eth0"] }],
};

let world: CliWorld;
let audit: Audit;
let alice: string;

before(async () => {
  audit = await Audit.create([IMPERSONATOR]);
  // kube-controller-manager fills Kubernetes' own roles with what is aggregated into them.
  world = await CliWorld.start({ programs: ["kube-controller-manager"], apiServerFlags: audit.flags });
  for (const number of [1, 2]) {
    await world.addNode(number);
    await world.speak(number);
    await world.report(number);
  }
  const metadata = { name: LOADBALANCER_NAME, namespace: SYSTEM };
  await world.writeStatus(loadBalancers, metadata, {
    observedGeneration: 1,
    controllers: { desired: 2, ready: 2 },
    speakers: { desired: 2, ready: 2 },
    conditions: [
      condition("Available", "True", "Running"),
      condition("Degraded", "False", "AsExpected"),
      condition("Progressing", "False", "AsExpected"),
      { ...condition("Valid", "True", "Valid"), observedGeneration: 1 },
    ],
  });
  await world.addPool("office", { addresses: ["172.30.0.100-172.30.0.101"] });
  await world.addService("web");
  await world.addEndpoints("web", { "10.244.1.1": "n1", "10.244.2.1": "n2" });
  const [{ nodes: [owner = ""] = [] } = {}] = (await world.json(["owners"])).addresses as {
    nodes: string[];
  }[];
  await world.report(Number(owner.slice(1)), OWNED);
  alice = await world.kubeconfigAs(USER);
});
after(async () => {
  await world?.[Symbol.asyncDispose]();
  await audit?.[Symbol.asyncDispose]();
});

const status = (): Promise<Ran> => world.genkan(["status"]);
const lineOf = ({ out }: Ran, beginning: string): string =>
  out.split("\n").find((line) => line.startsWith(beginning)) ?? `no line of ${beginning} in ${out}`;

test("without rights nothing is answered, and the exit code is not one of an answer", async () => {
  for (const command of COMMANDS) {
    const { code, out, err } = await world.genkan(command, alice);
    assert.deepEqual([code, out], [3, ""], command.join());
    assert.match(err, /cannot list resource/, command.join());
  }
  assert.equal((await world.genkan(["status", "-o", "xml"])).code, 3);
  assert.equal((await world.genkan(["status"], "/nonexistent")).code, 3);
});

test("the rights of docs/cli.md are enough for every command", async () => {
  await until(
    "view to have Genkan's kinds",
    async () => {
      const asked = ["auth", "can-i", "list", "addresspools.genkan.dev", "-n", SYSTEM, "--as", USER];
      await runAll("Rights");
      return (await world.kubectl(...asked)).out.trim() === "yes";
    },
    LONG,
  );
  // The API server hears of each of its own objects by a watch, as everybody does.
  for (const command of COMMANDS)
    await until(
      `${command.join(" ")} to be allowed`,
      async () => {
        const { code, err } = await world.genkan(command, alice);
        assert.deepEqual([code, err], [0, ""]);
        return true;
      },
      LONG,
    );
});

test("--watch prints a document when something changed, and ends with the last answer's exit code", async () => {
  const { documents, code } = await watchOnce(["services", "--kubeconfig", alice], () =>
    world.kubectl("label", "service", "web", "changes=nothing").then(() => world.addService("later")),
  );
  const namesOf = (document: unknown): string[] =>
    (document as { services: { service: string }[] }).services.map(({ service }) => service);
  assert.deepEqual(namesOf(documents[0]), ["default/web"]);
  assert.ok(namesOf(documents.at(-1)).includes("default/later"));
  assert.equal(code, 0);
  await world.kubectl("delete", "service", "later");
});

async function runAll(heading: string): Promise<string> {
  const blocks = commandsOf("docs/cli.md", heading);
  assert.ok(blocks.length > 0, heading);
  let out = "";
  for (const block of blocks) out += await runBlock(block, { kubeconfig: world.kubeconfig });
  return out;
}

test("a bundle has objects and answers without secrets, and says what its reader may not see", async () => {
  const peer = `{ apiVersion: genkan.dev/v1beta1, kind: BGPPeer, metadata: { name: tor, namespace: ${SYSTEM} },
    spec: { myASN: 64512, peerASN: 64513, peerAddress: 172.30.0.253, password: hunter2 } }`;
  const manifest = ["apply", "--kubeconfig", world.kubeconfig, "-f", "-"];
  assert.equal((await run(KUBECTL, manifest, peer)).code, 0);
  // As GitOps tools wait for what they applied.
  const applied = ["addresspool/office", "bgppeer/tor"];
  const ready = ["wait", "--for=condition=Ready", "--timeout=30s", "-n", SYSTEM, ...applied];
  const waited = await world.kubectl(...ready);
  assert.equal(waited.code, 0, waited.err);
  const { code, out, err } = await world.genkan(["bundle"], alice);
  assert.deepEqual([code, err], [0, ""]);
  const { objects, answers, missing } = JSON.parse(out) as Bundle;
  assert.deepEqual(
    objects.bgpPeers?.map(({ metadata }) => metadata.name),
    ["tor"],
  );
  assert.doesNotMatch(out, /hunter2|managedFields/);
  assert.match(answers.services ?? "", /^default\/web /m);
  assert.equal(objects.nodes?.length, 2);
  assert.deepEqual(
    missing.map(({ what }) => what),
    ["eventsOfServices", "webhooks"],
  );
  assert.equal((await world.kubectl("delete", "bgppeer", "tor", "-n", SYSTEM)).code, 0);
});

test("genkan-view and genkan-admin are in Kubernetes' own roles, and edit writes no configuration", async () => {
  const can = async (role: string, verb: string): Promise<string> => {
    const { out } = await world.kubectl("get", "clusterrole", role, "-o", "json");
    const rules: readonly { apiGroups?: string[]; resources?: string[]; verbs: string[] }[] =
      JSON.parse(out).rules;
    return rules
      .filter(({ apiGroups = [], verbs }) => apiGroups.includes("genkan.dev") && verbs.includes(verb))
      .flatMap(({ resources = [] }) => resources)
      .sort()
      .join(" ");
  };
  const written = "addresspools bfdprofiles bgppeers loadbalancers";
  await until("admin to have them", async () => (await can("admin", "create")) === written, LONG);
  for (const role of ["view", "edit"])
    await until(
      `${role} to have them`,
      async () => (await can(role, "list")) === `${written} speakerstatuses`,
      LONG,
    );
  assert.equal(await can("view", "create"), "");
  assert.equal(await can("edit", "create"), "");
  assert.equal(await can("admin", "patch"), written);
});

test("the commands of the page run, and the table of its first example is what they show", async () => {
  const out = await runAll("What there is");
  assert.match(out, /^all is well$/m);
  assert.match(out, /^SERVICE +ADDRESSES +POOL +PORTS +POLICY +STATE +AGE$/m);
});

test("all is well: exit code 0, and no finding", async () => {
  const { code, out } = await status();
  assert.equal(
    out,
    `namespace genkan-system: 2 of 2 controllers and 2 of 2 speakers are ready
1 of 1 Services have an address; 1 AddressPool, 0 BGPPeers with 0 of 0 sessions established
all is well
`,
  );
  assert.equal(code, 0);
});

test("the lists have each thing once, for people and for programs", async () => {
  const listed = await world.genkan(["services"]);
  assert.match(listed.out, /^default\/web +172\.30\.0\.100 +office +TCP\/80 +Cluster +Allocated +\d+[smh]$/m);
  assert.equal((await world.genkan(["services", "--of", "other"])).out.trim().split("\n").length, 1);
  const pools = await world.genkan(["pools"]);
  assert.match(pools.out, /^office +layer2 +172\.30\.0\.100-172\.30\.0\.101 +1 of 2 +- +yes +Accepted$/m);
  const [service] = (await world.json(["services"])).services as { ids: object }[];
  assert.deepEqual(Object.keys(service?.ids ?? {}), ["IPv4/TCP/80"]);
  const yaml = await world.genkan(["pools", "-o", "yaml"]);
  assert.match(yaml.out, /^pools:\n {2}- pool: office\n {4}protocol: layer2\n/);
});

test("owners: the planner's word, and who reports something else", async () => {
  const owner = async (): Promise<{ nodes: string[]; reportedBy?: string[] }> =>
    ((await world.json(["owners"])).addresses as { nodes: string[] }[])[0] ?? { nodes: [] };
  const { nodes, reportedBy } = await owner();
  assert.equal(reportedBy, undefined);
  const number = Number(nodes[0]?.slice(1));
  const other = 3 - number;
  await world.report(other, OWNED);
  assert.deepEqual((await owner()).reportedBy, ["n1", "n2"]);
  assert.equal((await world.genkan(["owners"])).code, 1);
  await world.report(other);
  // A dead one's addresses go to the other, in every speaker as here.
  await world.speak(number, { isSilent: true });
  const moved = await world.genkan(["owners"]);
  assert.match(
    moved.out,
    new RegExp(`^172\\.30\\.0\\.100 +default/web +office +layer2 +n${other} +1 +nobody reports it$`, "m"),
  );
  await world.speak(number);
});

test("sessions: the state, since when, and a dead speaker's word is marked", async () => {
  await world.report(1, {
    bgpSessions: [
      { peer: "tor", address: "172.30.0.250", state: "Active", lastError: "connection refused", losses: 2 },
    ],
    bfdSessions: [{ peer: "tor", address: "172.30.0.250", state: "Up", detectionTime: 900 }],
  });
  const bgp = await world.genkan(["bgp"]);
  assert.match(bgp.out, /^n1 +tor +172\.30\.0\.250 +Active +- +- +- +- +2 +connection refused$/m);
  assert.equal(bgp.code, 1);
  const bfd = await world.genkan(["bfd"]);
  assert.match(bfd.out, /^n1 +tor +172\.30\.0\.250 +Up +- +900 ms +- +-$/m);
  assert.equal(bfd.code, 0);
  await world.speak(1, { isSilent: true });
  assert.match((await world.genkan(["bfd"])).out, /Up \(speaker silent\)/);
  await world.speak(1);
  await world.report(1, { bgpSessions: [], bfdSessions: [] });
});

test("what a node lacks is one line with what to do", async () => {
  const message = "modprobe ip_vs: not found";
  await world.report(2, {
    conditions: [
      condition("Ready", "False", "IpvsUnavailable", message),
      condition("ForwardingReady", "False", "IpvsUnavailable", message),
      condition("AllServed", "True", "Served"),
    ],
  });
  const ran = await status();
  assert.equal(
    lineOf(ran, "SpeakerStatus n2"),
    "SpeakerStatus n2: ForwardingReady, IpvsUnavailable: modprobe ip_vs: not found. Load the module ip_vs on the node, or choose another kernel for it.",
  );
  assert.match(ran.out, /^1 thing is not well:$/m);
  assert.equal(ran.code, 1);
  await world.report(2);
});

test("a silent speaker's own report is not believed", async () => {
  await world.speak(2, { isSilent: true });
  const ran = await status();
  assert.match(
    lineOf(ran, "SpeakerStatus n2"),
    /^SpeakerStatus n2: SpeakerSilent: .* last heard \d+ s ago\. See /,
  );
  await world.plane.client.patch(leases, {
    name: "speaker-n2",
    namespace: SYSTEM,
    type: "merge",
    body: { spec: { holderIdentity: "" } },
  });
  assert.match(lineOf(await status(), "SpeakerStatus n2"), /: SpeakerGone: /);
  await world.speak(2);
});

/** Both nodes' speakers hear claims, and report these addresses. */
async function owning(...addresses: readonly (readonly string[])[]): Promise<void> {
  for (const [at, own] of addresses.entries()) {
    await world.speak(at + 1, { hearsClaims: true });
    const entries = own.map((address) => ({ address, service: "default/web", links: ["eth0"] }));
    await world.report(at + 1, { ownedCount: own.length, addresses: entries });
  }
}

test("rebalance says what moves, and asks for it by the LoadBalancer; a reader may not", async () => {
  const asked = async (): Promise<string | undefined> =>
    (await world.plane.client.get(loadBalancers, LOADBALANCER_NAME, SYSTEM))?.metadata.annotations?.[
      ANNOTATION_REBALANCE
    ];
  const unheard = await world.genkan(["rebalance"]);
  assert.deepEqual([unheard.code, await asked()], [1, undefined]);
  assert.match(unheard.out, /^nothing is asked: speakers do not hear what others claim on n1, n2/);
  await world.addService("more");
  await world.addEndpoints("more", { "10.244.1.1": "n1" });
  await owning(["172.30.0.100", "172.30.0.101"], []);
  const dry = await world.genkan(["rebalance", "--dry-run"]);
  assert.deepEqual([dry.code, await asked()], [2, undefined]);
  assert.match(dry.out, /^172\.30\.0\.10[01] moves from n1 to n2\n1 would move$/m);
  const refused = await world.genkan(["rebalance"], alice);
  assert.deepEqual([refused.code, refused.out, await asked()], [3, "", undefined]);
  assert.match(refused.err, /change loadbalancers\.genkan\.dev loadbalancer: 403 Forbidden/);
  const { code, out } = await world.genkan(["rebalance"]);
  assert.equal(code, 0, out);
  assert.ok(Number.isFinite(Date.parse((await asked()) ?? "")), out);
  await owning(["172.30.0.100"], ["172.30.0.101"]);
  assert.match((await world.genkan(["rebalance"])).out, /^nothing moves/);
});

test("drain cordons the node, and waits until others have its addresses", async () => {
  const isCordoned = async (): Promise<boolean> =>
    (await world.plane.client.get(nodes, "n1"))?.spec?.unschedulable === true;
  const missing = await world.genkan(["drain", "n9"]);
  assert.deepEqual([missing.code, missing.out], [1, "there is no node n9\n"]);
  const late = await world.genkan(["drain", "n1", "--timeout", "0"]);
  assert.deepEqual([late.code, await isCordoned()], [1, true]);
  assert.match(late.out, /^node n1 is cordoned, and still owns 1 addresses \(172\.30\.0\.100\): no other/);
  const draining = world.genkan(["drain", "n1", "--timeout", "60"]);
  await owning([], ["172.30.0.100", "172.30.0.101"]);
  const { code, out } = await draining;
  assert.equal(code, 0, out);
  assert.match(out, /^node n1 is cordoned, and /);
  await world.kubectl("uncordon", "n1");
  await world.kubectl("delete", "service", "more");
  await owning(["172.30.0.100"], []);
});

test("a full pool is told at the Service that waits for it", async () => {
  await world.addService("second");
  await world.addService("third");
  const ran = await status();
  assert.match(
    lineOf(ran, "Service default/third"),
    /^Service default\/third: genkan\.dev\/AddressAllocated, PoolExhausted: .*no free IPv4 address\. Add a range/,
  );
  assert.match(
    (await world.genkan(["services"])).out,
    /^default\/third +- +- +TCP\/80 +Cluster +PoolExhausted/m,
  );
  for (const name of ["second", "third"])
    await world.plane.client.remove(services, name, { namespace: "default" });
});

test("lists of many pages are whole", async () => {
  const many = Array.from({ length: 1_100 }, (_, at) => at);
  const { client } = world.plane;
  // Of a class that nobody serves, so that no controller is kept busy.
  const add = (at: number) =>
    client.create(services, {
      metadata: { name: `many-${at}`, namespace: "default" },
      spec: { type: "LoadBalancer", loadBalancerClass: "example.com/other", ports: [{ port: 80 }] },
    });
  for (let at = 0; at < many.length; at += 20) await Promise.all(many.slice(at, at + 20).map(add));
  const rows = (await world.json(["services"])).services as object[];
  assert.equal(rows.length, 1);
  await client.patch(loadBalancers, {
    name: LOADBALANCER_NAME,
    namespace: SYSTEM,
    type: "merge",
    body: { spec: { loadBalancerClass: "example.com/other" } },
  });
  const whole = (await world.json(["services"])).services as object[];
  assert.equal(whole.length, 1_100);
  // The controller has not judged the new generation in the operator's stead.
  const ran = await status();
  assert.match(lineOf(ran, "LoadBalancer loadbalancer"), /NotJudged: nobody has judged generation 2 yet/);
});

test("a pool that is not valid, and a namespace without an installation", async () => {
  await world.plane.client.create(addressPools, {
    metadata: { name: "overlapping", namespace: SYSTEM },
    spec: { protocol: "layer2", addresses: ["172.30.0.0/24"] },
  });
  await until(
    "it to be judged",
    async () => /AddressPool overlapping: Valid/.test((await status()).out),
    LONG,
  );
  const elsewhere = await world.genkan(["status", "-n", "default"]);
  assert.match(lineOf(elsewhere, "LoadBalancer loadbalancer"), /NoLoadBalancer: namespace default has none/);
  assert.equal(elsewhere.code, 1);
});

test("no right of docs/cli.md is unused, and the lists were asked for page by page", async () => {
  // What is no resource (the server's version) is open to everybody.
  const asked = (await audit.read()).filter(
    ({ user, code, resource }) => user === USER && code === 200 && resource !== "",
  );
  const used = new Set(
    asked.map(({ verb, resource, namespace }) => `${verb} ${resource} ${namespace}`.trim()),
  );
  const ours = ["addresspools", "bfdprofiles", "bgppeers", "loadbalancers", "speakerstatuses", "leases"];
  const ofBundle = ["daemonsets", "deployments", "events", "pods"];
  const wanted = [
    ...[...ours, ...ofBundle].map((resource) => `list ${resource} ${SYSTEM}`),
    ...["endpointslices", "namespaces", "nodes", "servicecidrs", "services"].map(
      (resource) => `list ${resource}`,
    ),
  ];
  assert.deepEqual([...used].sort(), wanted.sort());
});
