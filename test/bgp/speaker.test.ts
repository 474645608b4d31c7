/**
 * The real speaker, told by a real API server, and what FRR makes of it: three nodes with two peers each (eBGP over
 * IPv4 for both families, iBGP over IPv6).
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { bgpPeers, secrets, services } from "#common/kube/resource.ts";
import { ControllerProcess } from "#test/integration/controller-process.ts";
import { SYSTEM } from "#test/layer2/speaker-cluster.ts";
import { settled, until } from "#test/until.ts";
import {
  LONG,
  NAMES,
  NODES_ASN,
  podsOn,
  ROUTER,
  ROUTER_ASN,
  SECURED_SOURCE,
  World,
} from "./speaker-world.ts";

const VIP = "198.51.100.7";
const VIP6 = "2001:db8:51::7";
const GRACEFUL_SHUTDOWN = /65535:0|graceful-?shutdown/i;

let world: World;

const edge = (name: (typeof NAMES)[number]): string => world.host(name).addresses.IPv4;

before(async () => {
  world = await World.start({
    addresses: ["198.51.100.0/24", "2001:db8:51::/64"],
    bgpAdvertisements: [
      { communities: ["65010:77", "large:4200000100:1:2"], localPref: 250 },
      { aggregationLength: 26, aggregationLengthV6: 64, communities: ["65010:26"], peers: ["edge"] },
    ],
  });
  await world.addPeer("edge", {
    peerASN: ROUTER_ASN,
    peerAddress: ROUTER.IPv4,
    dualStackAddressFamily: true,
    connectTime: "1s",
  });
  await world.addPeer("inner", {
    localASN: ROUTER_ASN,
    peerASN: ROUTER_ASN,
    peerAddress: ROUTER.IPv6,
    connectTime: "1s",
  });
  await world.cluster.addService({ name: "web", vips: [VIP, VIP6], pods: podsOn(...NAMES) });
  for (const name of NAMES) world.start(name);
});
after(async () => world?.[Symbol.asyncDispose]());

describe("BGP by a real speaker", { concurrency: false }, () => {
  test("addresses reach FRR from all nodes, over both peers, with what the pool says", async () => {
    await world.inState("edge", "Established");
    await world.inState("inner", "Established");
    await world.routedVia(`${VIP}/32`, NAMES);
    // Aggregates and the other family come in UPDATEs of their own.
    const isComplete = async (name: (typeof NAMES)[number]): Promise<true> => {
      const { IPv4, IPv6 } = world.host(name).addresses;
      const four = (await world.paths(`${VIP}/32`)).get(IPv4);
      assert.deepEqual([four?.communities, four?.largeCommunities], [["65010:77"], ["4200000100:1:2"]], name);
      assert.deepEqual([four?.nextHop, four?.asPath], [IPv4, [NODES_ASN]], name);
      const aggregate = (await world.paths("198.51.100.0/26")).get(IPv4);
      assert.deepEqual(aggregate?.communities, ["65010:26"], name);
      const six = await world.paths(`${VIP6}/128`);
      assert.deepEqual([...six.keys()].filter((peer) => [IPv4, IPv6].includes(peer)).length, 2, name);
      assert.equal(six.get(IPv4)?.nextHop, IPv6, name);
      // To iBGP peers only, and the second advertisement is for the other peer.
      const inner = six.get(IPv6);
      assert.deepEqual([inner?.localPref, inner?.asPath], [250, []], name);
      assert.equal((await world.paths("2001:db8:51::/64")).get(IPv6), undefined, name);
      return true;
    };
    for (const name of NAMES) await until(`all of ${name}`, () => isComplete(name), LONG);
  });

  test("statuses, events and metrics say so", async () => {
    for (const name of NAMES) {
      await until(
        `${name} to report the session`,
        async () => {
          const session = await world.session(name, "edge");
          assert.deepEqual(
            [session?.remoteASN, session?.holdTime, session?.advertised],
            [ROUTER_ASN, 90, 4],
            name,
          );
          return true;
        },
        LONG,
      );
      assert.equal(await world.metric(name, `genkan_bgp_session_up{peer="edge"}`), 1, name);
      assert.equal(await world.metric(name, `genkan_bgp_session_up{peer="inner"}`), 1, name);
    }
    await until("an event of each node", async () => {
      const said = await world.eventsOf("edge");
      return NAMES.every((name) =>
        said.some((text) => text.startsWith("SessionEstablished") && text.includes(name)),
      );
    });
    await using controller = new ControllerProcess("controller", world.cluster.plane.kubeconfig);
    await controller.started();
    await until(
      "the BGPPeer's status",
      async () => {
        const status = (await world.cluster.kube.get(bgpPeers, "edge", SYSTEM))?.status;
        return status?.establishedSessions === 3 && status.configuredSessions === 3;
      },
      LONG,
    );
  });

  test("one more Service is one UPDATE to each peer, and passes without a change send nothing", async () => {
    const updates = async (): Promise<number[]> =>
      Promise.all(NAMES.map(async (name) => (await world.neighbor(edge(name))).messageStats.updatesRecv));
    const before = await settled("no more UPDATEs of the beginning", updates);
    await world.cluster.addService({ name: "one", vips: ["198.51.100.8"], pods: podsOn(...NAMES) });
    await world.routedVia("198.51.100.8/32", NAMES);
    const passes = await Promise.all(NAMES.map((name) => world.metric(name, "genkan_loop_passes_total")));
    for (const [at, name] of NAMES.entries()) {
      const enough = (passes[at] ?? 0) + 2;
      const isDone = async () => (await world.metric(name, "genkan_loop_passes_total")) >= enough;
      await until(`two more passes of ${name}`, isDone, LONG);
    }
    assert.deepEqual(
      await updates(),
      before.map((count) => count + 1),
    );
    await world.cluster.kube.remove(services, "one", { namespace: "default" });
    await world.routedVia("198.51.100.8/32", []);
  });

  test("externalTrafficPolicy Local: from nodes with a ready endpoint only; none at all: from nobody", async () => {
    const prefix = "198.51.100.70/32";
    const service = { name: "local", vips: ["198.51.100.70"], policy: "Local" as const };
    await world.cluster.addService({ ...service, pods: podsOn("n3") });
    await world.routedVia(prefix, ["n3"]);
    // The aggregate goes as the addresses below it do.
    await world.routedVia("198.51.100.64/26", ["n3"]);
    await world.cluster.setPods("local", podsOn("n1", "n2"));
    await world.routedVia(prefix, ["n1", "n2"]);
    await world.cluster.setPods("local", []);
    await world.routedVia(prefix, []);
    await world.routedVia("198.51.100.64/26", []);
    await world.cluster.setPods("web", []);
    await world.routedVia(`${VIP}/32`, []);
    await world.cluster.setPods("web", podsOn("n2"));
    await world.routedVia(`${VIP}/32`, NAMES);
    await world.cluster.kube.remove(services, "local", { namespace: "default" });
    // An aggregate goes as any address in it may: here for the sake of "web", which every node advertises.
    const beside = { name: "beside", vips: ["198.51.100.9"], policy: "Local" as const, pods: podsOn("n3") };
    await world.cluster.addService(beside);
    await world.routedVia("198.51.100.9/32", ["n3"]);
    await world.routedVia("198.51.100.0/26", NAMES);
    await world.cluster.kube.remove(services, "beside", { namespace: "default" });
    await world.routedVia("198.51.100.9/32", []);
  });

  test("a password's Secret: withheld without it, established with it, rotated", async (t) => {
    const edges = async (): Promise<number[]> =>
      Promise.all(NAMES.map(async (name) => (await world.neighbor(edge(name))).connectionsEstablished));
    const before = await edges();
    await world.cluster.setLabel("n3", "edge", "yes");
    await world.addPeer("secured", {
      peerASN: ROUTER_ASN,
      peerAddress: ROUTER.secured,
      sourceAddress: SECURED_SOURCE,
      passwordSecret: { name: "bgp-password" },
      nodeSelectors: [{ matchLabels: { edge: "yes" } }],
      connectTime: "1s",
    });
    await world.inState("secured", "Withheld", ["n3"]);
    assert.match((await world.session("n3", "secured"))?.lastError ?? "", /bgp-password/);
    assert.equal((await world.neighbor(SECURED_SOURCE)).connectionsEstablished, 0);
    const secret = {
      metadata: { name: "bgp-password", namespace: SYSTEM },
      type: "kubernetes.io/basic-auth",
    };
    await world.cluster.kube.create(secrets, { ...secret, stringData: { username: "", password: "first" } });
    await world.inState("secured", "Established", ["n3"]);
    const hasRoute = async () => (await world.paths(`${VIP}/32`)).has(SECURED_SOURCE);
    await until("the route over it", hasRoute, LONG);

    const changed = await world.neighbor(SECURED_SOURCE);
    const body = { stringData: { password: "second" } };
    await world.cluster.kube.patch(secrets, {
      name: "bgp-password",
      namespace: SYSTEM,
      type: "merge",
      body,
    });
    await world.frr.shell("conf t", `router bgp ${ROUTER_ASN}`, `neighbor ${SECURED_SOURCE} password second`);
    const isUp = async () => (await world.neighbor(SECURED_SOURCE)).bgpState === "Established";
    await until("the session after the rotation", async () => (await isUp()) && (await hasRoute()), LONG);
    const { connectionsEstablished } = await world.neighbor(SECURED_SOURCE);
    const renewed = connectionsEstablished - changed.connectionsEstablished;
    t.diagnostic(`password rotated on both sides: FRR counts ${renewed} new sessions`);
    // Whoever has the old password gets nothing any more: the session really goes by the new one.
    await world.frr.shell(`clear bgp ${SECURED_SOURCE}`);
    await until(
      "a session with the new password",
      async () =>
        (await isUp()) &&
        (await world.neighbor(SECURED_SOURCE)).connectionsEstablished > connectionsEstablished,
      LONG,
    );
    assert.deepEqual(await edges(), before, "other sessions were touched");
  });

  test("a peer's nodeSelectors are followed while it runs", async () => {
    await world.inState("secured", "Established", ["n3"]);
    await world.cluster.setLabel("n3", "edge", null);
    await until("no session", async () => (await world.session("n3", "secured")) === undefined, LONG);
    const hasLost = async () => (await world.neighbor(SECURED_SOURCE)).bgpState !== "Established";
    await until("FRR to have no session", hasLost, LONG);
    const isWithout = async () => !(await world.paths(`${VIP}/32`)).has(SECURED_SOURCE);
    await until("FRR to have no route of it", isWithout, LONG);
    await world.cluster.setLabel("n3", "edge", "yes");
    await world.inState("secured", "Established", ["n3"]);
    await world.cluster.kube.remove(bgpPeers, "secured", { namespace: SYSTEM });
    await until("no session", async () => (await world.session("n3", "secured")) === undefined, LONG);
  });

  test("SIGTERM: FRR is told that the routes go before they go, and why", async () => {
    const from = world.frr.log().length;
    const said = (): string[] =>
      world.frr
        .log()
        .slice(from)
        .split("\n")
        .filter((line) => line.includes(edge("n1")));
    await world.speaker("n1").end("SIGTERM");
    const at = (pattern: RegExp): number => said().findIndex((line) => pattern.test(line));
    const withdrawn = /198\.51\.100\.7\/32.*withdrawn/;
    await until("the withdrawal", () => at(withdrawn) >= 0, LONG);
    const [going, gone] = [at(GRACEFUL_SHUTDOWN), at(withdrawn)];
    assert.ok(going >= 0 && going < gone, said().join("\n"));
    await until(
      "FRR to have heard why",
      async () => {
        const { bgpState, lastShutdownDescription } = await world.neighbor(edge("n1"));
        assert.notEqual(bgpState, "Established");
        assert.match(lastShutdownDescription ?? "", /speaker restarts/);
        return true;
      },
      LONG,
    );
    await world.routedVia(`${VIP}/32`, ["n2", "n3"]);
    world.start("n1");
    await world.routedVia(`${VIP}/32`, NAMES);
  });

  test("with the API server away for 15 s sessions and routes stay", async () => {
    const counts = async (): Promise<number[]> =>
      Promise.all(NAMES.map(async (name) => (await world.neighbor(edge(name))).connectionsEstablished));
    const updates = async (): Promise<number[]> =>
      Promise.all(NAMES.map(async (name) => (await world.neighbor(edge(name))).messageStats.updatesRecv));
    // The speaker before this one has just come: what it tells beside the one route comes later.
    const before = await settled("no more UPDATEs", async () => [await counts(), await updates()]);
    await world.cluster.plane.stopProgram("kube-apiserver");
    const end = performance.now() + 15_000;
    while (performance.now() < end) await world.routedVia(`${VIP}/32`, NAMES, { deadlineMs: 0, everyMs: 0 });
    await world.cluster.plane.startProgram("kube-apiserver");
    for (const name of NAMES) {
      const words = (): string | undefined =>
        world.speaker(name).logs.findLast(({ msg }) => msg.includes("judging") || msg.includes("no word"))
          ?.msg;
      await until(`${name} to judge again`, () => words()?.includes("judging"), LONG);
    }
    await world.routedVia(`${VIP}/32`, NAMES);
    assert.deepEqual([await counts(), await updates()], before);
  });
});
