/**
 * Three speaker processes on one layer 2 against a real API server, in mode KubeProxy (so that no ip_vs is needed):
 * who answers for an address, and who does when something happens.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { ANNOTATION_ALLOCATED_FROM, ANNOTATION_FORWARDING_IDS, LABEL_EXCLUDE_NODE } from "#api/names.ts";
import { createKubeClient, type KubeClient } from "#common/kube/client.ts";
import { connectionFromKubeconfig } from "#common/kube/connection.ts";
import {
  addressPools,
  customResourceDefinitions,
  endpointSlices,
  events,
  loadBalancers,
  namespaces,
  nodes,
  services,
  speakerStatuses,
} from "#common/kube/resource.ts";
import { hasIpvs } from "#hack/guest/ipvs.ts";
import { type ControlPlane, startControlPlane } from "#hack/lab/control-plane.ts";
import { elect } from "#speaker/elect.ts";
import { until } from "#test/until.ts";
import { BRIDGE_ADDRESS, Bridge, type Host, vip4, vip6 } from "./bridge.ts";
import { SpeakerProcess } from "./speaker-process.ts";

const run = promisify(execFile);
const ROOT = new URL("../../", import.meta.url).pathname;
const SYSTEM = "genkan-system";
const NAMES = ["n1", "n2", "n3"];
const LONG = { deadlineMs: 20_000, everyMs: 50 };
/** What a user is promised when an owner dies. */
const TAKEOVER_MS = 10_000;
/** Two services on each node, or so: which one owns which is the hash's business. */
const WEB = { name: "web", vips: [vip4(200), vip6("200")] };
const LOCAL = { name: "local", vips: [vip4(201)] };

let dir = "";
let bridge: Bridge;
let client: Host;
let plane: ControlPlane;
let kube: KubeClient;
const speakers = new Map<string, SpeakerProcess>();

before(async () => {
  bridge = new Bridge();
  client = bridge.add("cl", 99);
  dir = await mkdtemp(join(tmpdir(), "genkan-layer2-"));
  plane = await startControlPlane({ dir, address: BRIDGE_ADDRESS, programs: [] });
  kube = createKubeClient(connectionFromKubeconfig(plane.kubeconfig, (path) => readFileSync(path, "utf8")));
  await run(`${ROOT}.lab/bin/kubectl`, [
    "--kubeconfig",
    plane.kubeconfig,
    "apply",
    "-k",
    `${ROOT}config/crd`,
  ]);
  await until("all CRDs to be established", async () => {
    const { items } = await kube.list(customResourceDefinitions);
    const isUp = items.every((crd) =>
      crd.status?.conditions?.some(({ type, status }) => type === "Established" && status === "True"),
    );
    return items.length === 5 && isUp;
  });
  await kube.create(namespaces, { metadata: { name: SYSTEM } });
  await kube.create(loadBalancers, {
    metadata: { name: "loadbalancer", namespace: SYSTEM },
    spec: { forwarding: { mode: "KubeProxy" }, nodeSelector: { speaker: "yes" } },
  });
  await kube.create(addressPools, {
    metadata: { name: "pool", namespace: SYSTEM },
    spec: { protocol: "layer2", addresses: [`${vip4(200)}-${vip4(250)}`, `${vip6("200")}-${vip6("2ff")}`] },
  });
  for (const [at, name] of NAMES.entries()) await addNode(bridge.add(name, at + 1));
  await addService(WEB, "Cluster", NAMES);
  for (const name of NAMES) start(name);
  await until("all speakers to be ready", allReady, LONG);
});

after(async () => {
  for (const speaker of speakers.values()) await speaker.end("SIGKILL");
  kube?.close();
  await plane?.stop();
  if (dir !== "") await rm(dir, { recursive: true, force: true });
  bridge?.[Symbol.dispose]();
});

function start(name: string, without: readonly string[] = []): SpeakerProcess {
  const host = bridge.hosts.get(name);
  assert.ok(host !== undefined);
  const speaker = new SpeakerProcess(host, plane.kubeconfig, without);
  speakers.set(name, speaker);
  return speaker;
}

function speakerOf(name: string | undefined): SpeakerProcess {
  const speaker = speakers.get(name ?? "");
  assert.ok(speaker !== undefined, `there is no speaker ${name}`);
  return speaker;
}

async function addNode(host: Host): Promise<void> {
  const { name, addresses } = host;
  const labels = { speaker: "yes" };
  await kube.create(nodes, { metadata: { name, labels } });
  const body = {
    status: { addresses: Object.values(addresses).map((address) => ({ type: "InternalIP", address })) },
  };
  await kube.patch(nodes, { name, subresource: "status", type: "merge", body });
}

/** A Service as the controller leaves it, with a pod on each of `podNodes`. */
async function addService(
  { name, vips }: { name: string; vips: readonly string[] },
  policy: "Cluster" | "Local",
  podNodes: readonly string[],
): Promise<void> {
  const annotations = {
    [ANNOTATION_ALLOCATED_FROM]: "pool",
    [ANNOTATION_FORWARDING_IDS]: JSON.stringify({ "IPv4/TCP/80": 1, "IPv6/TCP/80": 2 }),
  };
  await kube.create(services, {
    metadata: { name, namespace: "default", annotations },
    spec: {
      type: "LoadBalancer",
      externalTrafficPolicy: policy,
      ipFamilyPolicy: "PreferDualStack",
      ports: [{ port: 80, protocol: "TCP", targetPort: 8080 }],
    },
  });
  await setPods(name, podNodes);
  const body = { status: { loadBalancer: { ingress: vips.map((ip) => ({ ip, ipMode: "VIP" })) } } };
  await kube.patch(services, { name, namespace: "default", subresource: "status", type: "merge", body });
}

async function setPods(service: string, podNodes: readonly string[]): Promise<void> {
  for (const addressType of ["IPv4", "IPv6"] as const) {
    const address = (at: number): string =>
      addressType === "IPv4" ? `10.244.0.${at + 1}` : `fd44::${at + 1}`;
    await kube.apply(
      endpointSlices,
      {
        metadata: {
          name: `${service}-${addressType.toLowerCase()}`,
          namespace: "default",
          labels: { "kubernetes.io/service-name": service },
        },
        addressType,
        ports: [{ name: "", port: 8080, protocol: "TCP" }],
        endpoints: podNodes.map((nodeName, at) => ({
          addresses: [address(at)],
          nodeName,
          conditions: { ready: true },
        })),
      },
      { fieldManager: "test", force: true },
    );
  }
}

async function isReady(name: string): Promise<boolean> {
  const status = (await kube.get(speakerStatuses, name, SYSTEM))?.status;
  return (
    status?.conditions?.some((condition) => condition.type === "Ready" && condition.status === "True") ??
    false
  );
}

async function allReady(): Promise<boolean> {
  return (await Promise.all(NAMES.map(isReady))).every(Boolean);
}

/** Waits until exactly `owner` answers for `vip`; how long it took. */
async function ownedBy(vip: string, owner: string | undefined, limits = LONG): Promise<number> {
  const began = performance.now();
  const wanted = owner === undefined ? [] : [owner];
  await until(
    `${vip} to be answered by ${owner ?? "nobody"}`,
    async () => {
      const owners = await bridge.owners(client, vip);
      if (JSON.stringify(owners) !== JSON.stringify(wanted))
        throw new Error(`answered by ${owners.join(", ") || "nobody"}`);
      return true;
    },
    limits,
  );
  return performance.now() - began;
}

const expected = (vip: string, candidates: readonly string[]): string => elect({ vip, candidates }) ?? "";

describe("layer 2 ownership", { concurrency: false }, () => {
  test("exactly the elected node answers, by ARP and NDP; the status and an event say so", async () => {
    for (const vip of WEB.vips) await ownedBy(vip, expected(vip, NAMES));
    const owner = expected(WEB.vips[0] ?? "", NAMES);
    const status = await until("the status", async () => {
      const found = (await kube.get(speakerStatuses, owner, SYSTEM))?.status;
      return found?.addresses?.some(({ address }) => address === WEB.vips[0]) ? found : undefined;
    });
    assert.equal(status.forwarding?.mode, "KubeProxy");
    const { items } = await kube.list(events, { namespace: "default" });
    const said = items.filter(({ reason }) => reason === "OwnerChanged").map(({ message }) => message);
    assert.ok(
      said.some((text) => text?.includes(owner) && text.includes("eth0")),
      said.join("\n"),
    );
  });

  test("the kernel itself answers for no address that is not announced", async () => {
    assert.deepEqual(await bridge.ask(client, vip4(240)), []);
    assert.deepEqual(await bridge.ask(client, vip6("240")), []);
  });

  test("without a usable endpoint an address is withdrawn, and comes back with one", async () => {
    const vip = WEB.vips[0] ?? "";
    await setPods(WEB.name, []);
    await ownedBy(vip, undefined);
    await setPods(WEB.name, NAMES);
    await ownedBy(vip, expected(vip, NAMES));
  });

  test("externalTrafficPolicy Local: the address follows the pods", async () => {
    await addService(LOCAL, "Local", ["n3"]);
    const vip = LOCAL.vips[0] ?? "";
    await ownedBy(vip, "n3");
    await setPods(LOCAL.name, ["n2"]);
    await ownedBy(vip, "n2");
    await kube.remove(services, LOCAL.name, { namespace: "default" });
    await ownedBy(vip, undefined);
  });

  test("a node with the exclude label attracts nothing", async () => {
    const vip = WEB.vips[0] ?? "";
    const owner = expected(vip, NAMES);
    const label = (value: string | null) => ({ metadata: { labels: { [LABEL_EXCLUDE_NODE]: value } } });
    await kube.patch(nodes, { name: owner, type: "merge", body: label("") });
    await ownedBy(
      vip,
      expected(
        vip,
        NAMES.filter((name) => name !== owner),
      ),
    );
    await kube.patch(nodes, { name: owner, type: "merge", body: label(null) });
    await ownedBy(vip, owner);
  });

  test("a pool's interfaces and nodeSelectors are honoured, and their lack is said", async () => {
    const vip = WEB.vips[0] ?? "";
    const patch = (spec: object) =>
      kube.patch(addressPools, { name: "pool", namespace: SYSTEM, type: "merge", body: { spec } });
    await patch({ interfaces: ["eth7"] });
    await ownedBy(vip, undefined);
    await until("condition NoLink", async () => {
      const conditions = (await kube.get(speakerStatuses, "n1", SYSTEM))?.status?.conditions ?? [];
      return conditions.some(
        ({ type, status, reason }) => type === "AnnouncingReady" && status === "False" && reason === "NoLink",
      );
    });
    await kube.patch(nodes, { name: "n2", type: "merge", body: { metadata: { labels: { rack: "b" } } } });
    await patch({ interfaces: null, nodeSelectors: [{ matchLabels: { rack: "b" } }] });
    await ownedBy(vip, "n2");
    await patch({ nodeSelectors: null });
    await ownedBy(vip, expected(vip, NAMES));
  });

  test("an owner whose cable is pulled is replaced", async (t) => {
    const vip = WEB.vips[0] ?? "";
    const owner = expected(vip, NAMES);
    bridge.setCable(owner, false);
    const ms = await ownedBy(
      vip,
      expected(
        vip,
        NAMES.filter((name) => name !== owner),
      ),
      { deadlineMs: TAKEOVER_MS, everyMs: 20 },
    );
    t.diagnostic(`cable pulled: answered by another node after ${Math.round(ms)} ms`);
    bridge.setCable(owner, true);
    await ownedBy(vip, owner);
  });

  test("an owner that is killed is replaced within 10 s, and gets its address back when it returns", async (t) => {
    for (const vip of WEB.vips) {
      const owner = expected(vip, NAMES);
      await speakerOf(owner).end("SIGKILL");
      const ms = await ownedBy(
        vip,
        expected(
          vip,
          NAMES.filter((name) => name !== owner),
        ),
        { deadlineMs: TAKEOVER_MS, everyMs: 20 },
      );
      t.diagnostic(`${vip}: speaker killed: answered by another node after ${Math.round(ms)} ms`);
      start(owner);
      await ownedBy(vip, owner);
    }
  });

  test("SIGTERM hands over before it lets go: some node answers every question", async (t) => {
    const vip = WEB.vips[0] ?? "";
    const owner = expected(vip, NAMES);
    const ending = speakerOf(owner).end("SIGTERM");
    let unanswered = 0;
    let asked = 0;
    for (let hasEnded = false; !hasEnded; ) {
      const question = bridge.ask(client, vip, true);
      hasEnded = await Promise.race([ending.then(() => true), question.then(() => false)]);
      asked += 1;
      if ((await question).length === 0) unanswered += 1;
    }
    t.diagnostic(`${asked} questions while it ended, ${unanswered} without an answer`);
    assert.ok(asked > 0);
    assert.equal(unanswered, 0);
    await ownedBy(
      vip,
      expected(
        vip,
        NAMES.filter((name) => name !== owner),
      ),
    );
    start(owner);
    await ownedBy(vip, owner);
  });

  test("with the API server away every owner goes on, and nothing moves when it returns", async () => {
    const before = new Map(NAMES.map((name) => [name, speakerOf(name).announced().length]));
    await plane.stopProgram("kube-apiserver");
    // Longer than a Lease: who judged by silence alone would call everybody dead.
    const until6s = performance.now() + 6_000;
    while (performance.now() < until6s) {
      for (const vip of WEB.vips) assert.deepEqual(await bridge.owners(client, vip), [expected(vip, NAMES)]);
    }
    await plane.startProgram("kube-apiserver");
    await until(
      "all speakers to judge again",
      () =>
        NAMES.every((name) =>
          speakerOf(name)
            .logs.findLast(({ msg }) => msg.includes("judging") || msg.includes("no word"))
            ?.msg.includes("judging"),
        ),
      LONG,
    );
    const until5s = performance.now() + 5_000;
    while (performance.now() < until5s) {
      for (const vip of WEB.vips) assert.deepEqual(await bridge.owners(client, vip), [expected(vip, NAMES)]);
    }
    for (const name of NAMES) {
      assert.equal(speakerOf(name).announced().length, before.get(name), `${name} announced something anew`);
    }
  });

  test("a speaker without NET_RAW says so, attracts nothing and goes on", async () => {
    const vip = WEB.vips[0] ?? "";
    const owner = expected(vip, NAMES);
    await speakerOf(owner).end("SIGKILL");
    const limited = start(owner, ["net_raw"]);
    await until(
      "reason NotPermitted",
      () => hasCondition(owner, "AnnouncingReady", "False", "NotPermitted"),
      LONG,
    );
    await ownedBy(vip, expected(vip, others(owner)));
    assert.equal(limited.hasEnded, false);
    await until("the event", async () => {
      const { items } = await kube.list(events, { namespace: SYSTEM });
      return items.some(
        ({ reason, involvedObject }) => reason === "NotPermitted" && involvedObject.name === owner,
      );
    });
    await limited.end("SIGKILL");
    start(owner);
    await ownedBy(vip, owner);
  });

  test("mode IPVS where the kernel has no ip_vs: said, nothing attracted, no crash; KubeProxy works again", async (t) => {
    const setMode = (mode: string) =>
      kube.patch(loadBalancers, {
        name: "loadbalancer",
        namespace: SYSTEM,
        type: "merge",
        body: { spec: { forwarding: { mode } } },
      });
    const vip = WEB.vips[0] ?? "";
    await setMode("IPVS");
    if (await hasIpvs()) {
      t.diagnostic("this kernel has ip_vs: the speakers must be ready with it");
      for (const name of NAMES)
        await until(`${name} to forward`, () => hasCondition(name, "ForwardingReady", "True"), LONG);
      await ownedBy(vip, expected(vip, NAMES));
    } else {
      for (const name of NAMES) {
        await until(
          `${name} to say why`,
          () => hasCondition(name, "ForwardingReady", "False", "IpvsUnavailable"),
          LONG,
        );
      }
      await ownedBy(vip, undefined);
    }
    assert.ok(NAMES.every((name) => !speakerOf(name).hasEnded));
    await setMode("KubeProxy");
    await ownedBy(vip, expected(vip, NAMES));
  });

  test("a node that is no longer selected withdraws, reports Removed, and works again when it is", async () => {
    const vip = WEB.vips[0] ?? "";
    const owner = expected(vip, NAMES);
    const label = (value: string) => ({ metadata: { labels: { speaker: value } } });
    await kube.patch(nodes, { name: owner, type: "merge", body: label("no") });
    await ownedBy(
      vip,
      expected(
        vip,
        NAMES.filter((name) => name !== owner),
      ),
    );
    await until("Removed=True", () => isRemoved(owner));
    await kube.patch(nodes, { name: owner, type: "merge", body: label("yes") });
    await ownedBy(vip, owner);
    await until("Removed=False", async () => !(await isRemoved(owner)));
  });

  test("the LoadBalancer's deletion withdraws everything and is reported by every node", async () => {
    const metadata = { finalizers: ["genkan.dev/cleanup"] };
    await kube.patch(loadBalancers, {
      name: "loadbalancer",
      namespace: SYSTEM,
      type: "merge",
      body: { metadata },
    });
    await kube.remove(loadBalancers, "loadbalancer", { namespace: SYSTEM });
    for (const vip of WEB.vips) await ownedBy(vip, undefined);
    for (const name of NAMES) await until(`${name} to report Removed`, () => isRemoved(name));
  });
});

const others = (owner: string): string[] => NAMES.filter((name) => name !== owner);
const isRemoved = (name: string): Promise<boolean> => hasCondition(name, "Removed", "True");

async function hasCondition(name: string, type: string, status: string, reason?: string): Promise<boolean> {
  const conditions = (await kube.get(speakerStatuses, name, SYSTEM))?.status?.conditions ?? [];
  return conditions.some(
    (one) => one.type === type && one.status === status && (reason === undefined || one.reason === reason),
  );
}
