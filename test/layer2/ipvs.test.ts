/**
 * The speakers as they are meant to run, mode IPVS, three nodes with pods: clients' connections through the address,
 * over moves that the speakers' own election makes for a real cause, and nothing left behind in the end.
 * Nodes are where the kernel has ip_vs (a guest, if this one has not); the API server is here.
 */
import assert from "node:assert/strict";
import { copyFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { LABEL_EXCLUDE_NODE } from "#api/names.ts";
import { loadBalancers } from "#common/kube/resource.ts";
import type { Running } from "#hack/guest/channel.ts";
import { hasIpvs } from "#hack/guest/ipvs.ts";
import { bundle } from "#hack/images/bundle.ts";
import { elect } from "#speaker/elect.ts";
import { Flows, startEchoServers } from "#test/dataplane/flows.ts";
import { type Machine, openMachine, script } from "#test/dataplane/machine.ts";
import { buildTopology, type Topology } from "#test/dataplane/topology.ts";
import { Cluster, SYSTEM } from "#test/layer2/cluster.ts";
import { ip } from "#test/netns/namespace.ts";
import { until } from "#test/until.ts";

const INSTANCE = 6;
const UPLINK = "gks6up";
const API_ADDRESS = `172.30.${INSTANCE}.254`;
const LONG = { deadlineMs: 120_000, everyMs: 250 };
const FLOWS = 20;

let machine: Machine;
let topology: Topology;
let cluster: Cluster;
const speakers = new Map<string, Running>();
const said: string[] = [];

before(async () => {
  const isHere = hasIpvs();
  ip(isHere ? `link add ${UPLINK} type veth peer name ${UPLINK}b` : `tuntap add ${UPLINK} mode tap`);
  ip(`addr add ${API_ADDRESS}/24 dev ${UPLINK}
    link set ${UPLINK} up`);
  machine = await openMachine(isHere ? {} : { tap: UPLINK });
  topology = await buildTopology(machine, INSTANCE, isHere ? `${UPLINK}b` : "eth0");
  cluster = await Cluster.start({
    address: API_ADDRESS,
    mode: "IPVS",
    pool: [
      `${topology.vip(0).IPv4}-${topology.vip(49).IPv4}`,
      `${topology.vip(0).IPv6}-${topology.vip(49).IPv6}`,
    ],
  });
  for (const node of topology.nodes) await cluster.addNode(node);
  await cluster.addService("web", topology.vip(0), topology.pods);
  await startEchoServers(machine, topology, 8080);
  // As in the image: from hundreds of source files a speaker takes half a minute to start in a guest.
  await bundle(["speaker", "speaker-worker"], { outputDirectory: cluster.directory, version: "test" });
  await copyFile(
    new URL("../../speaker/native/build/socket.node", import.meta.url),
    `${cluster.directory}/socket.node`,
  );
  for (const node of topology.nodes) start(node.name);
  for (const { name } of topology.nodes) {
    await until(
      `the speaker of ${name} to be ready`,
      () => cluster.hasCondition(name, "Ready", "True"),
      LONG,
    ).catch((error: unknown) => {
      process.stderr.write(`${said.join("")}\n`);
      throw error;
    });
  }
});

after(async () => {
  for (const speaker of speakers.values()) speaker.kill("SIGKILL");
  await cluster?.[Symbol.asyncDispose]();
  if (machine?.isGuest === false) await topology?.remove();
  await machine?.stop();
  ip(`link del ${UPLINK}`);
});

function start(name: string): void {
  const root = machine.isGuest ? "/host" : "";
  const kubeconfig = `${root}${cluster.plane.kubeconfig}`;
  const speaker = machine.spawn(["node", `${root}${cluster.directory}/speaker.mjs`], {
    netns: netnsOf(name),
    discard: true,
    env: { KUBECONFIG: kubeconfig, NODE_NAME: name, POD_NAMESPACE: SYSTEM },
    onOutput: (chunk) => {
      said.push(chunk.toString());
      if (process.env.SPEAKER_LOGS !== undefined) process.stderr.write(chunk);
    },
  });
  speakers.set(name, speaker);
}

const names = (): string[] => topology.nodes.map(({ name }) => name);
const netnsOf = (name: string): string => topology.nodes.find((node) => node.name === name)?.netns ?? "";
const expected = (vip: string, candidates: readonly string[]): string => elect({ vip, candidates }) ?? "";

/** Waits until the router's neighbour for `vip` is the node's link, as the router itself found out. */
async function reachedThrough(vip: string, node: string): Promise<void> {
  const shown = await script(machine, "ip -o link show eth0", { netns: netnsOf(node) });
  const own = /link\/ether (\S+)/.exec(shown)?.[1] ?? "unknown";
  await until(
    `${vip} to be reached through ${node}`,
    async () => {
      const found = await script(machine, `ip neigh show ${vip} dev eth0`, { netns: topology.router.netns });
      return found.includes(own);
    },
    LONG,
  );
}

describe("forwarding by the speakers", { concurrency: false }, () => {
  test("20+20 flows survive three moves of the address, byte for byte; pods on all nodes see the client", async (t) => {
    const vip = topology.vip(0);
    const targets = [vip.IPv4, vip.IPv6].map((address, at) => ({
      address,
      flows: FLOWS,
      firstPort: 20_000 + at * 1_000,
    }));
    const flows = new Flows(machine, topology, { targets, port: 80 });
    await flows.progress(3, 90_000);
    const excluded = new Set<string>();
    for (let move = 0; move < 3; move += 1) {
      const candidates = names().filter((name) => !excluded.has(name));
      const owner = expected(vip.IPv4, candidates);
      const next = expected(
        vip.IPv4,
        candidates.filter((name) => name !== owner),
      );
      // The last move lets everybody in again, and the address goes home.
      if (move < 2) {
        excluded.add(owner);
        await cluster.setLabel(owner, LABEL_EXCLUDE_NODE, "");
        await reachedThrough(vip.IPv4, next);
      } else {
        for (const name of excluded) await cluster.setLabel(name, LABEL_EXCLUDE_NODE, null);
        await reachedThrough(vip.IPv4, expected(vip.IPv4, names()));
      }
      await flows.progress(3, 90_000);
    }
    const summary = await flows.stop();
    t.diagnostic(JSON.stringify(summary));
    assert.deepEqual(
      [summary.flows, summary.broken, summary.stalled, summary.wrongBytes, summary.moved],
      [2 * FLOWS, 0, 0, 0, 0],
    );
    assert.equal(Object.keys(summary.pods).length, topology.pods.length, "pods on all nodes answered");
    assert.deepEqual(summary.clients.toSorted(), [topology.client.IPv4, topology.client.IPv6].toSorted());
  });

  // Taken for a dead node, it gets no new connections, and no old ones over the move: that takes connection sync.
  test("a killed speaker's address is taken over; only flows to pods of its own node may break", async (t) => {
    const vip = topology.vip(0);
    const targets = [{ address: vip.IPv4, flows: FLOWS, firstPort: 24_000 }];
    const flows = new Flows(machine, topology, { targets, port: 80 });
    await flows.progress(3, 90_000);
    const owner = expected(vip.IPv4, names());
    speakers.get(owner)?.kill("SIGKILL");
    const began = performance.now();
    await reachedThrough(
      vip.IPv4,
      expected(
        vip.IPv4,
        names().filter((name) => name !== owner),
      ),
    );
    t.diagnostic(`reached through another node after ${Math.round(performance.now() - began)} ms`);
    await flows.progress(3, 90_000);
    const broken = (await flows.report()).flows.filter(({ failure }) => failure !== undefined);
    const summary = await flows.stop();
    t.diagnostic(JSON.stringify(summary));
    const itsPods = topology.pods.filter(({ node }) => node === owner).map(({ name }) => name);
    for (const { pods } of broken)
      assert.ok(
        pods.every((pod) => itsPods.includes(pod)),
        pods.join(", "),
      );
    assert.deepEqual([summary.stalled, summary.wrongBytes, summary.moved], [0, 0, 0]);
    start(owner);
    await reachedThrough(vip.IPv4, owner);
  });

  test("the LoadBalancer's deletion leaves nothing of ours in any node's kernel", async () => {
    const { kube } = cluster;
    const metadata = { finalizers: ["genkan.dev/cleanup"] };
    await kube.patch(loadBalancers, {
      name: "loadbalancer",
      namespace: SYSTEM,
      type: "merge",
      body: { metadata },
    });
    await kube.remove(loadBalancers, "loadbalancer", { namespace: SYSTEM });
    for (const name of names()) {
      await until(`${name} to report Removed`, () => cluster.hasCondition(name, "Removed", "True"), LONG);
      const left = await script(machine, "nft list tables; ipvsadm -Sn; ip rule; ip -6 rule", {
        netns: netnsOf(name),
      });
      assert.doesNotMatch(left, /genkan|-A -f|fwmark/, left);
      assert.match(left, /table inet proxy/, "the foreign table stays");
    }
  });
});
