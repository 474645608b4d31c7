/**
 * The speakers as they are meant to run, mode IPVS, three nodes with pods: clients' connections through the address,
 * over moves that the speakers' own election makes for a real cause; what must lose flows does; what somebody breaks
 * by hand is repaired; nothing is left behind in the end.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type ForwardingIds, forwardingCondition } from "#api/forwarding-ids.ts";
import { loadBalancers, services } from "#common/kube/resource.ts";
import { describeLoad, isStarved, loadSince, readLoad } from "#hack/common/load.ts";
import { markOf } from "#speaker/forwarding/mark.ts";
import { DEFAULT_SETTINGS } from "#speaker/forwarding/types.ts";
import { askOwner } from "#test/dataplane/arp-capture.ts";
import { type Damage, repairedAfter } from "#test/dataplane/damage.ts";
import { type FlowSummary, Flows } from "#test/dataplane/flows.ts";
import {
  allWell,
  endChecks,
  outAfterStop,
  resume,
  startChecks,
  weightsWhereAllFail,
} from "#test/dataplane/health-scenes.ts";
import { IpvsNodes, LONG } from "#test/dataplane/ipvs-nodes.ts";
import { becomes, scheduled, weighted } from "#test/dataplane/programmed.ts";
import { replace, requestsDuring } from "#test/dataplane/rollout-scenes.ts";
import { setSharing } from "#test/dataplane/sharing-scenes.ts";
import { SYSTEM } from "#test/layer2/speaker-cluster.ts";
import type { AddressPair } from "#test/network/three-nodes.ts";
import { settled, until } from "#test/until.ts";

const FLOWS = 60;
/** Enough to see that some are lost. */
const CONTROL_FLOWS = 20;
const REPAIRED_MS = 5_000;
/** For a machine that is starved, or emulated: its times are shown, and not held to the bar. */
const REPAIRED_AT_ALL_MS = 30_000;

/** The promise is 1.5 s. It is asked for in a guest here, where each look at three nodes takes a tenth of that. */
const OUT_MS = 3_000;
/** Of the pods that are replaced: make test-long does it often. */
const ROLLOUTS = process.env.GENKAN_LONG === undefined ? 1 : 25;
/** Longer than from one pass to the next. */
const SETTLES_MS = 3_000;
const OUT_AT_ALL_MS = 30_000;

let nodes: IpvsNodes;
let foreign: Map<string, string>;
let nextPort = 20_000;

before(async () => {
  nodes = await IpvsNodes.start();
  foreign = new Map();
  for (const name of nodes.names()) foreign.set(name, await nodes.foreign(name));
  // The same table on every node is what is shown at first: nobody tells anybody of a connection.
  await setSharing(nodes, false);
});
after(async () => nodes?.[Symbol.asyncDispose]());

/** That many flows to each family's address, from ports that no earlier flow had. */
function startFlows(vip: AddressPair, count: number): Flows {
  const targets = [vip.IPv4, vip.IPv6].map((address) => {
    const firstPort = nextPort;
    nextPort += count;
    return { address, flows: count, firstPort };
  });
  return new Flows(nodes.machine, nodes.topology, { targets, port: 80, intervalMs: 500 });
}

/** Flows over one move of both addresses. */
async function lossesOverMove(count: number): Promise<FlowSummary> {
  const vips = nodes.topology.vip(0);
  const flows = startFlows(vips, count);
  await flows.progress(2, 120_000);
  await nodes.moveTo(vips, nodes.route(vips)[0] ?? "");
  // Long enough for a chunk to be sent through the new node; a flow that is lost makes no progress.
  await flows.progress(2, 20_000).catch(() => {});
  const summary = await flows.stop();
  await nodes.moveHome(vips);
  return summary;
}

const lost = ({ broken, stalled, moved }: FlowSummary): number => broken + stalled + moved;

/** Every 5 ms, and by the shell alone: starting a program each time would take the guest's processor from all others. */
const HOLD_SLOPPY_AT_0 =
  "exec 3<> <(:); while :; do echo 0 > /proc/sys/net/ipv4/vs/sloppy_tcp; read -t 0.005 -u 3; done";

describe("forwarding by the speakers", { concurrency: false }, () => {
  test("the owner's speaker answers ARP and NDP, once to each question; the kernel does not", async (t) => {
    const vips = Object.values(nodes.topology.vip(0));
    for (const vip of vips) {
      const { hardware, asked, answers, byKernel } = await askOwner(nodes, vip);
      t.diagnostic(
        `${vip}: ${asked} questions, ${answers.length} answers; by the kernel alone: ${byKernel.length}`,
      );
      assert.ok(asked >= 5);
      assert.deepEqual(answers, Array(asked).fill(hardware));
      assert.deepEqual(byKernel, []);
    }
    for (const name of nodes.names()) {
      const links = await nodes.on(name, "ip addr");
      for (const vip of vips) assert.ok(!links.includes(`${vip}/`), `${vip} is on no link of ${name}`);
    }
  });

  test("60+60 flows survive three moves of the address, byte for byte; pods on all nodes see the client", async (t) => {
    const { topology } = nodes;
    const vip = topology.vip(0);
    const flows = startFlows(vip, FLOWS);
    await flows.progress(3, 120_000);
    for (const name of nodes.route(vip)) {
      await nodes.moveTo(vip, name);
      await flows.progress(3, 120_000);
    }
    const summary = await flows.stop();
    await nodes.moveHome(vip);
    t.diagnostic(JSON.stringify(summary));
    assert.deepEqual(
      [summary.flows, summary.broken, summary.stalled, summary.wrongBytes, summary.moved],
      [2 * FLOWS, 0, 0, 0, 0],
    );
    assert.equal(Object.keys(summary.pods).length, topology.pods.length, "pods on all nodes answered");
    assert.deepEqual(summary.clients.toSorted(), [topology.client.IPv4, topology.client.IPv6].toSorted());
  });

  test("a control that must lose flows: scheduler rr, which every node begins anew", async (t) => {
    await nodes.cluster.setForwarding({ scheduler: "rr" });
    await scheduled(nodes, "rr");
    const summary = await lossesOverMove(CONTROL_FLOWS);
    t.diagnostic(JSON.stringify(summary));
    assert.ok(lost(summary) > 0, JSON.stringify(summary));
    await nodes.cluster.setForwarding({ scheduler: "mh" });
    await scheduled(nodes, "mh");
  });

  test("a control that must lose flows: sloppy_tcp held at 0 against the speakers' repair", async (t) => {
    const holders = nodes.names().map((name) =>
      nodes.machine.spawn(["bash", "-c", HOLD_SLOPPY_AT_0], {
        netns: nodes.netnsOf(name),
        discard: true,
      }),
    );
    try {
      // A packet that comes between a repair and the next write of 0 saves its flow, and it may be so with all of them.
      let summary = await lossesOverMove(CONTROL_FLOWS);
      for (let left = 2; left > 0 && lost(summary) === 0; left -= 1)
        summary = await lossesOverMove(CONTROL_FLOWS);
      t.diagnostic(JSON.stringify(summary));
      assert.ok(lost(summary) > 0, JSON.stringify(summary));
    } finally {
      for (const holder of holders) holder.kill("SIGKILL");
    }
    for (const name of nodes.names()) {
      await until(
        `sloppy_tcp back on ${name}`,
        async () => (await nodes.on(name, "cat /proc/sys/net/ipv4/vs/sloppy_tcp")).trim() === "1",
        LONG,
      );
    }
  });

  test("where nothing is said, nodes tell each other of connections; what follows is with it", async () => {
    await setSharing(nodes, null);
    for (const name of nodes.names())
      await until(
        `${name} to share`,
        () => nodes.cluster.hasCondition(name, "ConnectionsShared", "True"),
        LONG,
      );
  });

  test("pods that are not ready, or end and serve no more, keep their connections and get no new ones", async (t) => {
    const { pods } = nodes.topology;
    const vip = nodes.topology.vip(0);
    const flows = startFlows(vip, CONTROL_FLOWS);
    await flows.progress(2, 120_000);
    const [unready, ending] = [pods[0], pods.at(-1)];
    assert.ok(unready !== undefined && ending !== undefined && unready.node !== ending.node);
    await nodes.cluster.setPods("web", pods, (pod) =>
      pod === ending
        ? { ready: false, serving: false, terminating: true }
        : { ready: pod !== unready, serving: pod !== unready },
    );
    for (const pod of [unready, ending]) await weighted(nodes, pod, 0);
    const late = startFlows(vip, CONTROL_FLOWS);
    await late.progress(2, 120_000);
    await flows.progress(2, 120_000);
    const { pods: taken } = await late.stop();
    await nodes.cluster.setPods("web", pods);
    for (const pod of [unready, ending]) await weighted(nodes, pod, 1);
    await flows.progress(2, 120_000);
    const summary = await flows.stop();
    t.diagnostic(`before: ${JSON.stringify(summary)}; begun meanwhile at ${JSON.stringify(taken)}`);
    assert.equal(Object.keys(summary.pods).length, pods.length);
    assert.deepEqual([summary.broken, summary.stalled, summary.wrongBytes, summary.moved], [0, 0, 0, 0]);
    const others = pods.filter((pod) => pod !== unready && pod !== ending).map(({ name }) => name);
    assert.deepEqual(Object.keys(taken).toSorted(), others.toSorted());
  });

  test("a pod that accepts and does not answer is soon out on all nodes; if all are so, all stay", async (t) => {
    const vip = nodes.topology.vip(0);
    const { pods } = nodes.topology;
    const hung = pods.at(-1) as (typeof pods)[number];
    await startChecks(nodes, hung);
    const load = await readLoad();
    // What is stopped goes on, however this ends: others' flows go to the same pods.
    try {
      const took = await outAfterStop(nodes, hung);
      const during = await loadSince(load);
      const isFair = !isStarved(during) && !nodes.machine.isEmulated;
      t.diagnostic(`out after ${JSON.stringify(took)} ms${isFair ? "" : `; ${describeLoad(during)}`}`);
      for (const ms of Object.values(took)) assert.ok(ms <= (isFair ? OUT_MS : OUT_AT_ALL_MS), `${ms} ms`);
      await weighted(nodes, hung, 0);
      const flows = startFlows(vip, CONTROL_FLOWS);
      await flows.progress(2, 120_000);
      const { pods: taken, broken, stalled } = await flows.stop();
      assert.deepEqual([broken, stalled, taken[hung.name]], [0, 0, undefined]);
      await resume(nodes, [hung]);
      await weighted(nodes, hung, 1);
      const weights = await weightsWhereAllFail(nodes);
      for (const each of weights) assert.deepEqual(each, Array(pods.length).fill(1));
    } finally {
      await resume(nodes, pods);
    }
    await allWell(nodes);
    await endChecks(nodes);
  });

  test("pods that are replaced one after the other, each gone 2 s after SIGTERM, cost no request", async (t) => {
    const { pods } = nodes.topology;
    const replaced = pods.slice(0, 2);
    const { done, failures } = await requestsDuring(nodes, nodes.topology.vip(0), async () => {
      for (let left = ROLLOUTS; left > 0; left -= 1) for (const pod of replaced) await replace(nodes, pod);
    });
    t.diagnostic(`${done} requests`);
    assert.deepEqual(failures, []);
    assert.ok(done > 20 * ROLLOUTS, `${done} requests`);
  });

  test("passes with nothing changed write nothing, counted at the netlink socket", async () => {
    const [name = ""] = nodes.names();
    // The kernel's own word beside the speaker's: what it tells of changes to nftables, rules and routes.
    let told = "";
    const witness = nodes.machine.spawn(["sh", "-c", "ip monitor rule route & nft monitor"], {
      netns: nodes.netnsOf(name),
      discard: true,
      onOutput: (chunk) => {
        told += chunk.toString();
      },
    });
    await until(
      "the witness",
      async () => {
        await nodes.on(name, "nft add table ip witness; nft delete table ip witness");
        return told.includes("delete table ip witness");
      },
      LONG,
    );
    // What the tests before this one changed is in the kernel, and nothing more is written.
    for (const pod of nodes.topology.pods) await weighted(nodes, pod, 1);
    const written = async () => (await nodes.counts(name)).netlinkMessagesWritten;
    await settled("nothing more to be written", written, { ...LONG, everyMs: SETTLES_MS });
    const before = await nodes.counts(name);
    told = "";
    let now = before;
    await until(
      "three more passes",
      async () => {
        now = await nodes.counts(name);
        return now.passes >= before.passes + 3;
      },
      LONG,
    );
    witness.kill("SIGTERM");
    assert.equal(now.netlinkMessagesWritten, before.netlinkMessagesWritten);
    assert.doesNotMatch(told, /genkan|7077|fwmark/);
  });

  test("what somebody deletes by hand is back within 5 s, and other services' connections never notice", async (t) => {
    const { topology } = nodes;
    const victim = topology.vip(0).IPv4;
    const other = topology.vip(1);
    const owner = nodes.elected(other.IPv4);
    const mark = (id: number): number => markOf(id, 1, DEFAULT_SETTINGS.routingBit);
    const flows = startFlows(other, CONTROL_FLOWS);
    await flows.progress(2, 120_000);
    /** Connections that the node's IPVS has counted for the other Service, since its entry was made. */
    const counted = async (): Promise<number> =>
      Number(
        /FWM\s+\d+\s+(\d+)/.exec(await nodes.on(owner, `ipvsadm -Ln --stats --exact -f ${mark(3)}`))?.[1],
      );
    // The kernel brings these counters up to date every two seconds.
    const connections = await until(
      "every flow to be counted",
      async () => {
        const count = await counted();
        return count >= CONTROL_FLOWS ? count : undefined;
      },
      LONG,
    );
    // Those of the other family may come in by another node, which tells of them.
    const entries = await until(
      "an entry of every flow",
      async () => {
        const all = await nodes.connections(owner, other);
        return all.length >= 2 * CONTROL_FLOWS ? all : undefined;
      },
      LONG,
    );
    const wanted = await settled("all to be programmed", () => nodes.programmed(owner), LONG);
    const pod = `${topology.pods[0]?.IPv4}:8080`;
    const element = `inet genkan ports4 '{ ${victim} . tcp . 80 }'`;
    const damages: readonly Damage[] = [
      ["an IPVS service", `ipvsadm -D -f ${mark(1)}`, `ipvsadm -Sn | grep -q -e '-A -f ${mark(1)} '`],
      [
        "a real server",
        `ipvsadm -d -f ${mark(1)} -r ${pod}`,
        `ipvsadm -Sn | grep -q -e '-a -f ${mark(1)} -r ${pod} '`,
      ],
      ["a rule", "ip rule del pref 100", "ip rule | grep -q '^100:'"],
      ["an element", `nft delete element ${element}`, `nft get element ${element} >/dev/null 2>&1`],
      ["our whole table", "nft delete table inet genkan", `nft get element ${element} >/dev/null 2>&1`],
    ];
    for (const damage of damages) {
      const load = await readLoad();
      const took = await repairedAfter(nodes, owner, damage);
      const during = await loadSince(load);
      const isFair = !isStarved(during) && !nodes.machine.isEmulated;
      t.diagnostic(`${damage[0]}: back after ${took} ms${isFair ? "" : `; ${describeLoad(during)}`}`);
      assert.ok(took <= (isFair ? REPAIRED_MS : REPAIRED_AT_ALL_MS), `${damage[0]}: ${took} ms`);
      await becomes("all of it", () => nodes.programmed(owner), wanted);
      // Other nodes tell of connections that came in there, again and again.
      await becomes("the other's connections", () => nodes.connections(owner, other), entries);
    }
    await flows.progress(2, 60_000);
    assert.equal(await counted(), connections, "no connection of the other Service was made anew");
    const summary = await flows.stop();
    assert.deepEqual([summary.broken, summary.stalled, summary.moved], [0, 0, 0], JSON.stringify(summary));
  });

  test("nobody takes over another Service's traffic: by no annotation, and by no claim to its ids", async (t) => {
    const vip = nodes.topology.vip(0);
    const { kube } = nodes.cluster;
    const thief = { name: "thief", namespace: "default" };
    const flows = startFlows(vip, CONTROL_FLOWS);
    await flows.progress(2, 120_000);
    const untouched = new Map<string, string[]>();
    for (const name of nodes.names())
      untouched.set(name, await settled(`${name} to be programmed`, () => nodes.programmed(name)));
    // Made last, so that it is the younger one.
    const vips = Object.values(nodes.topology.vip(2));
    await nodes.cluster.addService({ name: thief.name, vips, pods: nodes.topology.pods });
    const mark = (id: number): number => markOf(id, 1, DEFAULT_SETTINGS.routingBit);
    for (const name of nodes.names()) {
      await until(
        `${name} to forward for the thief, too`,
        async () => (await nodes.programmed(name)).some((line) => line.includes(` -f ${mark(5)} `)),
        LONG,
      );
    }
    const before = new Map<string, string[]>();
    for (const name of nodes.names())
      before.set(name, await settled(`${name} to be programmed`, () => nodes.programmed(name)));
    const victims = { "IPv4/TCP/80": 1, "IPv6/TCP/80": 2 };
    // What whoever edits Services in that namespace can write.
    const annotations = {
      "genkan.dev/forwarding-ids": JSON.stringify(victims),
      "genkan.dev/ip-allocated-from-pool": "none",
    };
    await kube.patch(services, { ...thief, type: "merge", body: { metadata: { annotations } } });
    // What only the controller can write: two Services with one id are a fault of somebody's, and the older one wins.
    const claim = (ids: ForwardingIds): Promise<unknown> => {
      const condition = { ...forwardingCondition(["pool"], ids), lastTransitionTime: "2026-01-01T00:00:00Z" };
      return kube.patch(services, {
        ...thief,
        type: "merge",
        subresource: "status",
        body: { status: { conditions: [condition] } },
      });
    };
    await claim(victims);
    const marks = [mark(1), mark(2)];
    for (const name of nodes.names()) {
      await until(
        `${name} to say that the ids are claimed twice`,
        () => nodes.cluster.hasCondition(name, "AllServed", "False", "DuplicateClaim"),
        LONG,
      );
      await until(
        `${name} to be ready all the same`,
        () => nodes.cluster.hasCondition(name, "Ready", "True"),
        LONG,
      );
      const ofVictim = (lines: readonly string[]): string[] =>
        lines.filter((line) => marks.some((mark) => line.includes(` -f ${mark} `)));
      // A speaker that does not get to renew its Lease is taken for dead for a moment; what was taken over stays so.
      const entries = async () => ofVictim(await nodes.programmed(name));
      await becomes(`the victim's entries on ${name}`, entries, ofVictim(before.get(name) ?? []));
      assert.ok(ofVictim(before.get(name) ?? []).length > marks.length, "there was something to take over");
    }
    await flows.progress(2, 120_000);
    await kube.remove(services, thief.name, { namespace: thief.namespace });
    for (const name of nodes.names()) {
      await becomes(name, () => nodes.programmed(name), untouched.get(name));
    }
    const summary = await flows.stop();
    t.diagnostic(JSON.stringify(summary));
    assert.deepEqual([summary.broken, summary.stalled, summary.wrongBytes, summary.moved], [0, 0, 0, 0]);
  });

  test("a speaker's pod that is replaced breaks no flow, through its node or to its pods", async (t) => {
    const vip = nodes.topology.vip(0);
    const flows = startFlows(vip, CONTROL_FLOWS);
    await flows.progress(2, 120_000);
    const owner = nodes.elected(vip.IPv4);
    const wanted = await settled("all to be programmed", () => nodes.programmed(owner));
    await nodes.kill(owner, "SIGTERM");
    nodes.startSpeaker(owner);
    await nodes.reachedThrough(vip.IPv4, owner);
    await flows.progress(3, 120_000);
    const summary = await flows.stop();
    t.diagnostic(JSON.stringify(summary));
    assert.deepEqual([summary.broken, summary.stalled, summary.wrongBytes, summary.moved], [0, 0, 0, 0]);
    // The new speaker hears of the other nodes one after the other.
    await becomes("all of it", () => nodes.programmed(owner), wanted);
  });

  // Taken for a dead node, it gets no new connections, and no old ones over the move: that takes connection sync.
  test("a killed speaker's address is taken over; only flows to pods of its own node may break", async (t) => {
    const vip = nodes.topology.vip(0);
    const flows = startFlows(vip, CONTROL_FLOWS);
    await flows.progress(3, 120_000);
    const owner = nodes.elected(vip.IPv4);
    const others = nodes.names().filter((name) => name !== owner);
    await nodes.kill(owner, "SIGKILL");
    const began = performance.now();
    await nodes.reachedThrough(vip.IPv4, nodes.elected(vip.IPv4, others));
    t.diagnostic(`reached through another node after ${Math.round(performance.now() - began)} ms`);
    await flows.progress(3, 120_000);
    const broken = (await flows.report()).flows.filter(({ failure }) => failure !== undefined);
    const summary = await flows.stop();
    t.diagnostic(JSON.stringify(summary));
    const itsPods = nodes.topology.pods.filter(({ node }) => node === owner).map(({ name }) => name);
    for (const { pods } of broken) {
      assert.ok(
        pods.every((pod) => itsPods.includes(pod)),
        pods.join(", "),
      );
    }
    assert.deepEqual([summary.stalled, summary.wrongBytes, summary.moved], [0, 0, 0]);
    nodes.startSpeaker(owner);
    await nodes.reachedThrough(vip.IPv4, owner);
  });

  test("the LoadBalancer's deletion leaves nothing of ours in any node's kernel, and the foreign as it was", async () => {
    const { kube } = nodes.cluster;
    const body = { metadata: { finalizers: ["genkan.dev/cleanup"] } };
    await kube.patch(loadBalancers, { name: "loadbalancer", namespace: SYSTEM, type: "merge", body });
    await kube.remove(loadBalancers, "loadbalancer", { namespace: SYSTEM });
    for (const name of nodes.names()) {
      await until(
        `${name} to report Removed`,
        () => nodes.cluster.hasCondition(name, "Removed", "True"),
        LONG,
      );
      const left = await nodes.on(name, "nft list tables; ipvsadm -Sn; ip rule; ip -6 rule");
      assert.doesNotMatch(left, /genkan|-A -f \d{4,}|fwmark/, left);
      assert.equal(await nodes.foreign(name), foreign.get(name), name);
    }
  });
});
