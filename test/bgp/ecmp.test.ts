/**
 * A router with all nodes as equal next hops: flows are spread, a node may die, come back, be upgraded or be taken out,
 * and nobody's flow ends but those to pods of the node that died.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { LABEL_EXCLUDE_NODE, speakerLease } from "#api/names.ts";
import { describeLoad, loadSince, readLoad } from "#hack/common/load.ts";
import { markOf } from "#speaker/forwarding/mark.ts";
import { DEFAULT_SETTINGS } from "#speaker/forwarding/types.ts";
import type { FlowState, Flows } from "#test/dataplane/flows.ts";
import { LONG } from "#test/dataplane/ipvs-nodes.ts";
import { setSharing } from "#test/dataplane/sharing-scenes.ts";
import { type NodePlace, setLink } from "#test/network/three-nodes.ts";
import { until } from "#test/until.ts";
import { BFD_INTERVAL_MS, BFD_MULTIPLIER } from "./ecmp-router.ts";
import { EcmpWorld, EDGE, LOCAL, spread, WEB } from "./ecmp-world.ts";
import type { RequestSummary } from "./requests.ts";

const FLOWS = 60;
const FEWER = 30;
const DETECTION_MS = BFD_MULTIPLIER * BFD_INTERVAL_MS;
/** Of each family, begun while a node is away. */
const LATE_FLOWS = 20;
/** Forwarding ids of the first two Services are 1 to 4. */
const WEB_MARK = markOf(5, 1, DEFAULT_SETTINGS.routingBit);
const GRACEFUL_SHUTDOWN = /65535:0|graceful-?shutdown/i;

interface Diagnostics {
  diagnostic(text: string): void;
}

let world: EcmpWorld;

before(async () => {
  world = await EcmpWorld.start();
});
after(async () => world?.[Symbol.asyncDispose]());

/** Waits until tier 1 of the nodes `on` has the pod of node `of` at this weight. */
async function weight(of: NodePlace, on: readonly string[], wanted: 0 | 1): Promise<void> {
  const pod = world.topology.pods.find(({ node }) => node === of.name)?.IPv4;
  const line = `^-a -f ${WEB_MARK} -r ${pod}:8080 .*-w ${wanted}\\b`;
  for (const name of on) {
    const isSet = async () => world.nodes.on(name, `ipvsadm -Sn | grep -e '${line}'`);
    await until(`weight ${wanted} of ${pod} on ${name}`, isSet, LONG);
  }
}

/** Waits until bgpd has both routes of the node from a session that is there. */
async function fresh(node: NodePlace): Promise<void> {
  for (const vip of Object.values(WEB)) {
    const isFresh = async () => {
      const path = await world.router.path(vip, node);
      return path !== undefined && path.stale !== true;
    };
    await until(`a fresh route to ${vip}`, isFresh, LONG);
  }
}

const isOfWeb = (line: string): boolean => Object.values(WEB).some((vip) => line.includes(`${vip} `));
/** What the kernel tells of a route that does not go through the node any more. */
const isWithout = (line: string, { IPv4, IPv6 }: NodePlace): boolean =>
  line.startsWith("Deleted") || !(line.includes(`${IPv4} `) || line.includes(`${IPv6} `));

/** Waits until all nodes' IPVS has the scheduler for WEB. */
async function scheduled(by: string): Promise<void> {
  for (const name of world.names()) {
    const isSet = async () => world.nodes.on(name, `ipvsadm -Sn | grep -e '^-A -f ${WEB_MARK} -s ${by}'`);
    await until(`scheduler ${by} on ${name}`, isSet, LONG);
  }
}

function unharmed({ asked, answered, failures }: RequestSummary): void {
  assert.ok(asked > 0);
  assert.deepEqual([answered, failures], [asked, {}]);
}

/** Ends the flows: none was lost, mixed up or answered by two pods, and pods saw the client. */
async function intact(flows: Flows, t: Diagnostics): Promise<void> {
  const summary = await flows.stop();
  t.diagnostic(JSON.stringify(summary));
  const { client } = world.topology;
  assert.deepEqual([summary.broken, summary.stalled, summary.wrongBytes, summary.moved], [0, 0, 0, 0]);
  assert.deepEqual(summary.clients.toSorted(), [client.IPv4, client.IPv6].toSorted());
}

/** A Lease that stood still for that long may have been taken for a dead speaker's (4 s, and the watch's own time). */
const SILENCE_MS = 3_000;

/**
 * Runs a case. A speaker of the nodes `alive` that does not get to renew its Lease is taken for dead, rightly so, and
 * others' lists change: what flows lose by that is the machine's doing, and a failure says so.
 */
async function judged(t: Diagnostics, alive: readonly string[], attempt: () => Promise<void>): Promise<void> {
  const silences = world.watchLeases();
  const load = await readLoad();
  try {
    await attempt();
  } catch (error) {
    const said = silences();
    const late = alive.filter((name) => (said.get(speakerLease(name)) ?? 0) > SILENCE_MS);
    t.diagnostic(await world.router.picture(Object.values(WEB)));
    t.diagnostic(`meanwhile ${describeLoad(await loadSince(load))}`);
    if (late.length > 0) t.diagnostic(`Leases of ${late.join(", ")} stood still for over ${SILENCE_MS} ms`);
    throw error;
  } finally {
    silences();
  }
}

describe("ECMP over three nodes", { concurrency: false }, () => {
  test("60+60 flows spread over all nodes and all pods, and pods see the client", async (t) => {
    const flows = await world.startFlows(WEB, FLOWS);
    const entries = await world.entries(flows);
    const { flows: all } = await flows.report();
    for (const address of Object.values(WEB)) {
      const own = all.filter((flow) => flow.address === address);
      t.diagnostic(`${address}: ${own.length} flows come in at ${spread(entries, own)}`);
      for (const ports of entries.values()) {
        const count = own.filter(({ sourcePort }) => ports.has(sourcePort)).length;
        // A third would be 20.
        assert.ok(count >= 5, spread(entries, own));
      }
    }
    const { pods } = await flows.summary();
    assert.equal(Object.keys(pods).length, world.topology.pods.length);
    await intact(flows, t);
  });

  test("a node dies and comes back: only flows to its own pods end, all others go on", async (t) => {
    await judged(t, world.others("n1"), async () => {
      const dead = world.place("n1");
      const isElsewhere = (flow: FlowState): boolean => !world.isOn(dead.name, flow);
      const flows = await world.startFlows(WEB, FLOWS);
      const before = await world.entries(flows);
      const ms = await world.cut(dead.name);
      await flows.progress(3, 60_000, isElsewhere);
      // The others find its speaker silent, and change their lists.
      await weight(dead, world.others(dead.name), 0);
      const meanwhile = await world.entries(flows, isElsewhere);
      const survivors = (await flows.report()).flows.filter(isElsewhere);
      const late = await world.startFlows(WEB, LATE_FLOWS);
      await setLink(world.machine, world.topology, dead, "up");
      await world.routedVia(WEB, world.names());
      await world.router.greet(dead);
      await flows.progress(3, 60_000, isElsewhere);
      await weight(dead, world.names(), 1);
      const now = await until(
        "a share of them to come in at it again",
        async () => {
          const entries = await world.entries(flows, isElsewhere);
          const back = survivors.filter(({ sourcePort }) => entries.get(dead.name)?.has(sourcePort));
          // A third, but for chance; the router's kernel has to find the node again first.
          if (back.length >= survivors.length / 10) return entries;
          throw new Error(`they come in at ${spread(entries, survivors)}`);
        },
        LONG,
      );
      const { flows: all } = await flows.report();
      const lateLost = (await late.stop()).broken;
      const summary = await flows.stop();
      const through = survivors.filter(({ sourcePort }) => before.get(dead.name)?.has(sourcePort)).length;
      const gaps = survivors.map(({ maxGapMs }) => maxGapMs);
      t.diagnostic(`routes through it gone ${ms} ms after the cut (BFD detects in ${DETECTION_MS} ms)`);
      t.diagnostic(
        `${all.length - survivors.length} flows to its pods; of ${survivors.length} others ${through} came in through it, ` +
          `then at ${spread(meanwhile, survivors)}, and with it back at ${spread(now, survivors)}; ` +
          `longest gap ${Math.max(...gaps)} ms; of ${2 * LATE_FLOWS} that began meanwhile ${lateLost} ended`,
      );
      t.diagnostic(JSON.stringify(summary));
      assert.deepEqual(
        all.filter((flow) => isElsewhere(flow) && flow.failure !== undefined),
        [],
      );
      assert.deepEqual([summary.wrongBytes, summary.moved], [0, 0]);
      assert.ok(through > 0 && survivors.length < all.length);
      assert.equal(meanwhile.get(dead.name)?.size, 0);
      // Long before the hold time of 90 s; how soon is judged in a place of its own, on a machine with time.
      assert.ok(ms <= DETECTION_MS + 20_000, `${ms} ms`);
      assert.equal(lateLost, 0, "of those that began while it was away");
    });
  });

  test("a speaker is replaced with graceful restart: the route stays, the kernel forwards, nothing is lost", async (t) => {
    const node = world.place("n1");
    const heed = `neighbor ${node.IPv4} bfd check-control-plane-failure`;
    // FRR 8.4 takes the end of BFD over a planned restart for a dead path without it.
    await world.router.configure(heed);
    await judged(t, world.names(), async () => {
      const flows = await world.startFlows(WEB, FEWER);
      const requests = world.startRequests();
      const routes = await world.router.watchRoutes();
      await world.nodes.kill(node.name, "SIGTERM");
      const isStale = async () => (await world.router.path(WEB.IPv4, node))?.stale === true;
      await until("a stale route", isStale, LONG);
      const meanwhile = await world.entries(flows);
      const wasStale = await isStale();
      world.nodes.startSpeaker(node.name);
      await fresh(node);
      await flows.progress(3, 60_000);
      const summary = await requests.stop();
      const changes = routes().filter(isOfWeb);
      const { flows: all } = await flows.report();
      t.diagnostic(
        `without a speaker on ${node.name} flows came in at ${spread(meanwhile, all)}; ${JSON.stringify(summary)}; ` +
          `${changes.length} changes of the kernel's routes`,
      );
      await intact(flows, t);
      unharmed(summary);
      assert.deepEqual(
        changes.filter((line) => isWithout(line, node)),
        [],
      );
      assert.ok(wasStale && (meanwhile.get(node.name)?.size ?? 0) > 0);
    });
    await world.router.configure(`no ${heed}`);
  });

  test("a node is taken out: the router is told before the routes go, nothing is lost", async (t) => {
    const { cluster } = world.nodes;
    await judged(t, world.names(), async () => {
      const flows = await world.startFlows(WEB, FEWER);
      const requests = world.startRequests();
      const routes = await world.router.watchRoutes();
      const from = world.router.log.length;
      await cluster.setLabel("n2", EDGE, null);
      await world.routedVia(WEB, world.others("n2"));
      const entries = await world.entries(flows);
      const said = () => world.router.log.slice(from).split("\n");
      const at = (pattern: RegExp): number =>
        said().findIndex((line) => line.includes(world.place("n2").IPv4) && pattern.test(line));
      // The kernel's routes go with the community; the withdrawal comes a second later.
      await until("bgpd to be told of the withdrawal", async () => at(/withdrawn/) >= 0, LONG);
      const [going, gone] = [at(GRACEFUL_SHUTDOWN), at(/withdrawn/)];
      await cluster.setLabel("n2", EDGE, "yes");
      await world.routedVia(WEB, world.names());
      // As one labels a node before it is drained: the session stays, the routes go.
      await cluster.setLabel("n3", LABEL_EXCLUDE_NODE, "");
      await world.routedVia(WEB, world.others("n3"));
      await flows.progress(3, 60_000);
      await cluster.setLabel("n3", LABEL_EXCLUDE_NODE, null);
      await world.routedVia(WEB, world.names());
      await flows.progress(3, 60_000);
      const summary = await requests.stop();
      const changes = routes().filter(isOfWeb);
      t.diagnostic(`bgpd: ${said()[going]} / ${said()[gone]}`);
      t.diagnostic(`${changes.length} changes of the kernel's routes; ${JSON.stringify(summary)}`);
      await intact(flows, t);
      unharmed(summary);
      assert.deepEqual(
        changes.filter((line) => line.startsWith("Deleted")),
        [],
      );
      assert.equal(entries.get("n2")?.size, 0);
      assert.ok(going >= 0 && gone > going, `${going} ${gone}`);
    });
  });

  test("externalTrafficPolicy Local: routed to nodes with a pod only, answered there, the client's address kept", async (t) => {
    await world.addLocalService(["p2a", "p2b", "p3a"]);
    await world.routedVia(LOCAL, ["n2", "n3"]);
    for (const [address, every] of [
      [LOCAL.IPv4, WEB.IPv4],
      [LOCAL.IPv6, WEB.IPv6],
    ] as const) {
      // FRR shares out a hundred by the bandwidths that it hears; nodes that say none are alike.
      const isWeighed = async () =>
        isDeepStrictEqual(await world.router.weights(address), { n2: 66, n3: 33 });
      await until(`two thirds of ${address} to n2`, isWeighed, LONG);
      assert.equal(new Set(Object.values(await world.router.weights(every))).size, 1);
    }
    const steady = await world.startFlows(LOCAL, 20);
    const entries = await world.entries(steady);
    const report = await steady.report();
    t.diagnostic(`come in at ${spread(entries, report.flows)}`);
    for (const [name, ports] of entries) {
      const own = report.flows.filter(({ sourcePort }) => ports.has(sourcePort));
      assert.equal(own.length > 0, name !== "n1", name);
      assert.ok(own.every((flow) => world.isOn(name, flow)));
    }
    await intact(steady, t);
    const pods = world.topology.pods.filter(({ name }) => name === "p3a");
    await world.nodes.cluster.setPods("local", pods);
    await world.routedVia(LOCAL, ["n3"]);
    await world.nodes.cluster.setPods("local", []);
    await world.routedVia(LOCAL, []);
  });

  test("a control that must lose flows: scheduler rr, which every node begins anew", async (t) => {
    const { cluster } = world.nodes;
    await setSharing(world.nodes, false);
    await cluster.setForwarding({ scheduler: "rr" });
    await scheduled("rr");
    const steady = await world.startFlows(WEB, FEWER);
    await cluster.setLabel("n2", EDGE, null);
    await world.routedVia(WEB, world.others("n2"));
    // A flow that is lost makes no progress.
    await steady.progress(2, 20_000).catch(() => {});
    const summary = await steady.stop();
    t.diagnostic(JSON.stringify(summary));
    assert.ok(summary.broken + summary.stalled + summary.moved > 0, JSON.stringify(summary));
  });
});
