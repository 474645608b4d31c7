/**
 * Connections that nodes tell each other of, in the five cases that the same table on every node does not cover: with
 * sharing no flow is lost, at one owner and by equal-cost paths, in both families; without, some are.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { BareNodes, type Told } from "#test/dataplane/bare-nodes.ts";
import { until } from "#test/until.ts";

/** Of each family. */
const COUNT = 30;

let nodes: BareNodes;

before(async () => {
  nodes = await BareNodes.start();
});
after(async () => nodes?.[Symbol.asyncDispose]());

interface Case {
  readonly what: string;
  /** The list when flows begin, and by whom they come. */
  readonly before: (shared: Told) => Promise<unknown>;
  readonly begin: readonly string[];
  /** What changes while they are open. */
  readonly change: (shared: Told) => Promise<unknown>;
  /** By whom they come after that. */
  readonly end: readonly string[];
}

/** Kernels that are given the pods one after the other, each in another order. */
async function inOrders(shared: Told): Promise<void> {
  const { pods } = nodes.topology;
  const orders = [pods, pods.toReversed(), [...pods.slice(2), ...pods.slice(0, 2)]];
  for (const [at, name] of nodes.names().entries())
    for (let count = 1; count <= pods.length; count += 1)
      await nodes.tell(name, { ...shared, pods: orders[at]?.slice(0, count) ?? pods });
}

/** It takes nothing from anybody, and others have heard that its pods are gone. */
async function withoutThird(shared: Told): Promise<void> {
  await nodes.remove("n3");
  const pods = nodes.topology.pods.filter(({ node }) => node !== "n3");
  for (const name of ["n1", "n2"]) await nodes.tell(name, { ...shared, pods });
}

/** All pods again, on every node; the third one waits until it has heard of all connections. */
async function withAll(shared: Told): Promise<void> {
  await nodes.tellAll(shared);
  await until("n3 to have heard of all", async () => (await nodes.tell("n3", shared)).isGathering !== true, {
    deadlineMs: 60_000,
    everyMs: 500,
  });
}

const CASES: readonly Case[] = [
  {
    what: "a pod more, then other nodes",
    before: (shared) => nodes.tellAll({ ...shared, pods: nodes.topology.pods.slice(0, -1) }),
    begin: ["n1"],
    change: (shared) => nodes.tellAll(shared),
    end: ["n2"],
  },
  {
    what: "a pod that drains, then other nodes",
    before: (shared) => nodes.tellAll(shared),
    begin: ["n1"],
    change: (shared) => nodes.tellAll({ ...shared, isServing: (pod) => pod !== nodes.topology.pods.at(-1) }),
    end: ["n2"],
  },
  {
    what: "a node that returns",
    before: withoutThird,
    begin: ["n1", "n2"],
    change: withAll,
    end: ["n3"],
  },
  {
    what: "tables that differ, because kernels were given the pods in another order each",
    before: inOrders,
    begin: ["n1"],
    change: async () => {},
    end: ["n2"],
  },
  {
    what: "nodes that prefer their own pods, then other nodes",
    before: (shared) => nodes.tellAll({ ...shared, prefersLocal: true }),
    begin: ["n1"],
    change: async () => {},
    end: ["n2"],
  },
];

/** Waits until each node's IPVS has an entry for each of the flows. */
async function known(firstPort: number): Promise<void> {
  for (const name of nodes.names()) {
    await until(
      `${name} to know of all flows`,
      async () => {
        const lines = (await nodes.on(name, "ipvsadm -Lnc")).split("\n");
        const ports = lines.map((line) => Number(/:(\d+)$/.exec(line.trim().split(/\s+/)[3] ?? "")?.[1]));
        const own = ports.filter((port) => port >= firstPort && port < firstPort + 2 * COUNT);
        return new Set(own).size >= 2 * COUNT;
      },
      { deadlineMs: 60_000, everyMs: 500 },
    );
  }
}

/** Flows that did not go on at the pod that they began with. */
async function lost(one: Case, { isShared, byAll }: { isShared: boolean; byAll: boolean }): Promise<number> {
  const shared: Told = { isShared };
  await one.before(shared);
  await nodes.reachBy(...one.begin);
  const firstPort = nodes.takePorts();
  const flows = await nodes.flows({ count: COUNT, firstPort });
  await one.change(shared);
  if (isShared) await known(firstPort);
  await nodes.reachBy(...(byAll ? nodes.names() : one.end));
  await flows.progress(4, 8_000).catch(() => {});
  const { broken, stalled, moved } = await flows.stop();
  return broken + stalled + moved;
}

describe("connections that other nodes know of", { concurrency: false }, () => {
  let without = 0;
  for (const one of CASES) {
    for (const byAll of [false, true]) {
      test(`${one.what}, ${byAll ? "by equal-cost paths" : "at another owner"}: no flow is lost`, async (t) => {
        const off = await lost(one, { isShared: false, byAll });
        without += off;
        const on = await lost(one, { isShared: true, byAll });
        t.diagnostic(
          JSON.stringify({ case: one.what, byAll, of: 2 * COUNT, lost_without: off, lost_with: on }),
        );
        assert.equal(on, 0);
      });
    }
  }

  test("without it, flows were lost in these cases: it is what keeps them", () => assert.ok(without > 0));
});
