/**
 * Three speaker processes on one layer 2 against a real API server, in mode KubeProxy (so that no ip_vs is needed):
 * who answers for an address, and who does when something happens.
 */
import assert from "node:assert/strict";
import { after, before, describe, type TestContext, test } from "node:test";
import { LABEL_EXCLUDE_NODE } from "#api/names.ts";
import { addressPools, events, loadBalancers, services, speakerStatuses } from "#common/kube/resource.ts";
import { hasIpvs } from "#hack/guest/ipvs.ts";
import { watchBars } from "#test/bar.ts";
import { ip, run } from "#test/network/namespace.ts";
import { settled, until } from "#test/until.ts";
import { vip4, vip6 } from "../network/bridge.ts";
import { SYSTEM } from "./speaker-cluster.ts";
import {
  expected,
  LONG,
  NAMES,
  others,
  podsOn,
  QUESTION_MS,
  SpeakerNodes,
  VIP,
  VIP6,
} from "./speaker-nodes.ts";

/** What a user is promised when an owner dies. */
const TAKEOVER_MS = 10_000;
const LIMITS = { deadlineMs: TAKEOVER_MS, everyMs: 20 };

let nodes: SpeakerNodes;

before(async () => {
  nodes = await SpeakerNodes.start();
});
after(async () => nodes?.[Symbol.asyncDispose]());

/**
 * Asks for the address until the work is done: some node answers every question. One that gets no answer is asked again,
 * and only a machine that stood still may be why.
 */
async function answeredDuring(t: TestContext, vip: string, work: Promise<unknown>): Promise<void> {
  let unanswered = 0;
  let asked = 0;
  const ask = () => nodes.bridge.ask(nodes.client, vip, true);
  for (let isDone = false; !isDone; ) {
    const bars = await watchBars();
    const began = performance.now();
    const question = ask();
    isDone = await Promise.race([work.then(() => true), question.then(() => false)]);
    asked += 1;
    if ((await question).length > 0) continue;
    unanswered += 1;
    await until(`an answer for ${vip}`, async () => (await ask()).length > 0, LONG);
    await bars.hold(`an answer for ${vip}`, performance.now() - began, QUESTION_MS);
  }
  t.diagnostic(`${asked} questions meanwhile, ${unanswered} without an answer`);
  assert.ok(asked > 0);
}

describe("layer 2 ownership", { concurrency: false }, () => {
  test("exactly the elected node answers, by ARP and NDP; the status and an event say so", async () => {
    for (const vip of [VIP, VIP6]) await nodes.ownedBy(vip, expected(vip));
    const owner = expected(VIP);
    const status = await until("the status", async () => {
      const found = (await nodes.cluster.kube.get(speakerStatuses, owner, SYSTEM))?.status;
      return found?.addresses?.some(({ address }) => address === VIP) ? found : undefined;
    });
    assert.equal(status.forwarding?.mode, "KubeProxy");
    await until("the event", async () => {
      const { items } = await nodes.cluster.kube.list(events, { namespace: "default" });
      const said = items.filter(({ reason }) => reason === "OwnerChanged").map(({ message }) => message);
      if (said.some((text) => text?.includes(owner) && text.includes("eth0"))) return true;
      throw new Error(said.join("\n"));
    });
  });

  test("the kernel itself answers for no address that is not announced", async () => {
    assert.deepEqual(await nodes.bridge.ask(nodes.client, vip4(240)), []);
    assert.deepEqual(await nodes.bridge.ask(nodes.client, vip6("240")), []);
  });

  test("without a usable endpoint an address is withdrawn, and comes back with one", async () => {
    const vip = VIP;
    await nodes.cluster.setPods("web", []);
    await nodes.ownedBy(vip, undefined);
    await nodes.cluster.setPods("web", podsOn(NAMES));
    await nodes.ownedBy(vip, expected(vip));
  });

  test("externalTrafficPolicy Local: the address follows the pods", async () => {
    const vip = vip4(201);
    await nodes.cluster.addService({
      name: "local",
      vips: [vip],
      pods: podsOn(["n3"]),
      policy: "Local",
      ipMode: "VIP",
    });
    await nodes.ownedBy(vip, "n3");
    await nodes.cluster.setPods("local", podsOn(["n2"]));
    await nodes.ownedBy(vip, "n2");
    await nodes.cluster.kube.remove(services, "local", { namespace: "default" });
    await nodes.ownedBy(vip, undefined);
  });

  test("a node with the exclude label attracts nothing", async () => {
    const vip = VIP;
    const owner = expected(vip);
    await nodes.cluster.setLabel(owner, LABEL_EXCLUDE_NODE, "");
    await nodes.ownedBy(vip, expected(vip, others(owner)));
    await nodes.cluster.setLabel(owner, LABEL_EXCLUDE_NODE, null);
    await nodes.ownedBy(vip, owner);
  });

  test("a node that is cordoned hands over before it lets go, and owns again when it is not", async (t) => {
    const owner = expected(VIP);
    const next = expected(VIP, others(owner));
    const handedOver = async (): Promise<void> => {
      await nodes.cluster.setCordon(owner, true);
      await nodes.ownedBy(VIP, next);
    };
    await answeredDuring(t, VIP, handedOver());
    await nodes.cluster.setCordon(owner, false);
    await nodes.ownedBy(VIP, owner);
  });

  test("a pool's interfaces and nodeSelectors are honoured, and their lack is said", async () => {
    const vip = VIP;
    const patch = (spec: object) =>
      nodes.cluster.kube.patch(addressPools, {
        name: "pool",
        namespace: SYSTEM,
        type: "merge",
        body: { spec },
      });
    await patch({ interfaces: ["eth7"] });
    await nodes.ownedBy(vip, undefined);
    await until("condition NoLink", async () => {
      const conditions =
        (await nodes.cluster.kube.get(speakerStatuses, "n1", SYSTEM))?.status?.conditions ?? [];
      return conditions.some(
        ({ type, status, reason }) => type === "AnnouncingReady" && status === "False" && reason === "NoLink",
      );
    });
    await nodes.cluster.setLabel("n2", "rack", "b");
    await patch({ interfaces: null, nodeSelectors: [{ matchLabels: { rack: "b" } }] });
    await nodes.ownedBy(vip, "n2");
    await patch({ nodeSelectors: null });
    await nodes.ownedBy(vip, expected(vip));
  });

  test("an owner whose cable is pulled is replaced", async (t) => {
    const vip = VIP;
    const owner = expected(vip);
    nodes.bridge.setCable(owner, false);
    const ms = await nodes.ownedBy(vip, expected(vip, others(owner)), LIMITS);
    t.diagnostic(`cable pulled: answered by another node after ${Math.round(ms)} ms`);
    nodes.bridge.setCable(owner, true);
    await nodes.ownedBy(vip, owner);
  });

  test("an owner that is killed is replaced within 10 s, and gets its address back when it returns", async (t) => {
    for (const vip of [VIP, VIP6]) {
      const owner = expected(vip);
      await nodes.speaker(owner).end("SIGKILL");
      const ms = await nodes.ownedBy(vip, expected(vip, others(owner)), LIMITS);
      t.diagnostic(`${vip}: speaker killed: answered by another node after ${Math.round(ms)} ms`);
      nodes.start(owner);
      await nodes.ownedBy(vip, owner);
    }
  });

  test("a foreign station with an address of ours is told at the Service; other nodes are no foreigners", async () => {
    const { namespace, hardware } = nodes.client;
    const owner = expected(VIP);
    const claim = (): unknown =>
      run("ip", "netns", "exec", namespace, "arping", "-U", "-c", "1", "-w", "1", "-I", "eth0", VIP);
    const served = async () => {
      const { status } = (await nodes.cluster.kube.get(speakerStatuses, owner, SYSTEM)) ?? {};
      return status?.conditions?.find(({ type }) => type === "AllServed");
    };
    const setConflict = (addressConflict: "yield" | null) =>
      nodes.cluster.kube.patch(loadBalancers, {
        name: "loadbalancer",
        namespace: SYSTEM,
        type: "merge",
        body: { spec: { layer2: { addressConflict } } },
      });
    ip(`-n ${namespace} addr add ${VIP}/32 dev eth0`);
    try {
      const message = await until("the event", async () => {
        claim();
        const { items } = await nodes.cluster.kube.list(events, { namespace: "default" });
        const said = items.filter(({ reason }) => reason === "AddressConflict");
        // Addresses have moved between nodes before.
        for (const { message = "", involvedObject } of said) {
          assert.equal(involvedObject.name, "web");
          assert.ok(message.includes(hardware), message);
        }
        return said[0]?.message;
      });
      for (const part of [VIP, "eth0", `node ${owner}`]) assert.ok(message.includes(part), message);
      const condition = await until("the condition", async () => {
        const found = await served();
        return found?.status === "False" ? found : undefined;
      });
      assert.equal(condition.reason, "AddressConflict");
      for (const part of [VIP, hardware]) assert.ok(condition.message.includes(part), condition.message);
      await setConflict("yield");
      await until("the address to be left to the other one", async () => {
        claim();
        return /not answered for/.test((await served())?.message ?? "");
      });
      assert.deepEqual(await nodes.bridge.ask(nodes.client, VIP), []);
      await setConflict(null);
    } finally {
      ip(`-n ${namespace} addr del ${VIP}/32 dev eth0`);
    }
    await nodes.ownedBy(VIP, expected(VIP));
  });

  test("SIGTERM hands over before it lets go: some node answers every question", async (t) => {
    const vip = VIP;
    const owner = expected(vip);
    await answeredDuring(t, vip, nodes.speaker(owner).end("SIGTERM"));
    await nodes.ownedBy(vip, expected(vip, others(owner)));
    nodes.start(owner);
    await nodes.ownedBy(vip, owner);
  });

  test("with the API server away every owner goes on, and nothing moves when it returns", async () => {
    const announced = () => new Map(NAMES.map((name) => [name, nodes.speaker(name).announced().length]));
    const before = await settled("no more announcements", announced);
    await nodes.cluster.plane.stopProgram("kube-apiserver");
    // Longer than a Lease: who judged by silence alone would call everybody dead.
    const stayWhereTheyAre = (ms: number) =>
      Promise.all([VIP, VIP6].map((vip) => nodes.staysWith(vip, expected(vip), ms)));
    await stayWhereTheyAre(6_000);
    await nodes.cluster.plane.startProgram("kube-apiserver");
    await until(
      "all speakers to judge again",
      () =>
        NAMES.every((name) =>
          nodes
            .speaker(name)
            .logs.findLast(({ msg }) => msg.includes("judging") || msg.includes("no word"))
            ?.msg.includes("judging"),
        ),
      LONG,
    );
    await stayWhereTheyAre(5_000);
    for (const name of NAMES) {
      assert.equal(
        nodes.speaker(name).announced().length,
        before.get(name),
        `${name} announced something anew`,
      );
    }
  });

  test("a speaker without NET_RAW says so, attracts nothing and goes on", async () => {
    const vip = VIP;
    const owner = expected(vip);
    await nodes.speaker(owner).end("SIGKILL");
    const limited = nodes.start(owner, ["net_raw"]);
    await until(
      "reason NotPermitted",
      () => nodes.cluster.hasCondition(owner, "AnnouncingReady", "False", "NotPermitted"),
      LONG,
    );
    await nodes.ownedBy(vip, expected(vip, others(owner)));
    assert.equal(limited.hasEnded, false);
    await until("the event", async () => {
      const { items } = await nodes.cluster.kube.list(events, { namespace: SYSTEM });
      return items.some(
        ({ reason, involvedObject }) => reason === "NotPermitted" && involvedObject.name === owner,
      );
    });
    await limited.end("SIGKILL");
    nodes.start(owner);
    await nodes.ownedBy(vip, owner);
  });

  test("mode IPVS where the kernel has no ip_vs: said, nothing attracted, no crash; KubeProxy works again", async (t) => {
    const vip = VIP;
    await nodes.setMode("IPVS");
    if (await hasIpvs()) {
      t.diagnostic("this kernel has ip_vs: the speakers must be ready with it");
      for (const name of NAMES)
        await until(
          `${name} to forward`,
          () => nodes.cluster.hasCondition(name, "ForwardingReady", "True"),
          LONG,
        );
      await nodes.ownedBy(vip, expected(vip));
    } else {
      for (const name of NAMES) {
        await until(
          `${name} to say why`,
          () => nodes.cluster.hasCondition(name, "ForwardingReady", "False", "IpvsUnavailable"),
          LONG,
        );
      }
      await nodes.ownedBy(vip, undefined);
    }
    assert.ok(NAMES.every((name) => !nodes.speaker(name).hasEnded));
    await nodes.setMode("KubeProxy");
    await nodes.ownedBy(vip, expected(vip));
  });

  test("a node that is no longer selected withdraws, reports Removed, and works again when it is", async () => {
    const vip = VIP;
    const owner = expected(vip);
    await nodes.cluster.setLabel(owner, "speaker", "no");
    await nodes.ownedBy(vip, expected(vip, others(owner)));
    await until("Removed=True", () => isRemoved(owner));
    await nodes.cluster.setLabel(owner, "speaker", "yes");
    await nodes.ownedBy(vip, owner);
    await until("Removed=False", async () => !(await isRemoved(owner)));
  });

  test("the LoadBalancer's deletion withdraws everything and is reported by every node", async () => {
    const metadata = { finalizers: ["genkan.dev/cleanup"] };
    await nodes.cluster.kube.patch(loadBalancers, {
      name: "loadbalancer",
      namespace: SYSTEM,
      type: "merge",
      body: { metadata },
    });
    await nodes.cluster.kube.remove(loadBalancers, "loadbalancer", { namespace: SYSTEM });
    for (const vip of [VIP, VIP6]) await nodes.ownedBy(vip, undefined);
    for (const name of NAMES) await until(`${name} to report Removed`, () => isRemoved(name));
  });
});

const isRemoved = (name: string): Promise<boolean> => nodes.cluster.hasCondition(name, "Removed", "True");
