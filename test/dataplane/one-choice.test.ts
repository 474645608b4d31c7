/**
 * Two nodes that do not choose alike: one chooses a pod for a connection and sends it by tunnel, and the pod's node has more
 * pods of the port. The pod's node takes the one that was chosen, and a connection goes on though nodes tell each other of
 * it. Where each had a choice of its own, each would take over what the other tells, for as long as the connection lives.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { BareNodes, type Told } from "#test/dataplane/bare-nodes.ts";

/** Of each family. */
const COUNT = 30;
/** Of a flow's echoes, five a second: messages wait for up to 2 s and come again every 3 s. */
const ECHOES = 45;

let nodes: BareNodes;

before(async () => {
  nodes = await BareNodes.start();
});
after(async () => nodes?.[Symbol.asyncDispose]());

interface Case {
  readonly what: string;
  readonly tell: () => Promise<unknown>;
  /** By whom flows come; absent: n1. */
  readonly by?: readonly string[];
  readonly protocol?: "TCP" | "UDP";
}

const shared: Told = { isShared: true };
/** Two of the pods are on n2. */
const onSecond = () => nodes.topology.pods.filter(({ node }) => node === "n2");

const CASES: readonly Case[] = [
  {
    what: "a scheduler that has a turn of its own on each node",
    tell: () => nodes.tellAll({ ...shared, pods: onSecond(), scheduler: "rr" }),
    by: ["n1", "n3"],
  },
  {
    what: "the same, by UDP",
    tell: () => nodes.tellAll({ ...shared, pods: onSecond(), scheduler: "rr", protocol: "UDP" }),
    by: ["n1", "n3"],
    protocol: "UDP",
  },
  {
    what: "the first node has not heard of a pod",
    tell: async () => {
      await nodes.tell("n1", { ...shared, pods: onSecond().slice(0, 1) });
      for (const name of ["n2", "n3"]) await nodes.tell(name, { ...shared, pods: onSecond() });
    },
  },
  {
    what: "the first node has not heard that a pod drains",
    tell: async () => {
      await nodes.tell("n1", { ...shared, pods: onSecond() });
      const isServing: Told["isServing"] = (pod) => pod !== onSecond()[0];
      for (const name of ["n2", "n3"]) await nodes.tell(name, { ...shared, pods: onSecond(), isServing });
    },
  },
];

describe("nodes that do not choose alike", { concurrency: false }, () => {
  for (const { what, tell, by = ["n1"], protocol = "TCP" } of CASES) {
    test(`${what}: no flow ends`, async (t) => {
      await tell();
      await nodes.reachBy(...by);
      const flows = await nodes.flows({ count: COUNT, protocol });
      await flows.progress(ECHOES, 60_000).catch(() => {});
      const { broken, stalled, moved, pods } = await flows.stop();
      t.diagnostic(JSON.stringify({ of: 2 * COUNT, broken, stalled, moved, pods }));
      assert.deepEqual([broken, stalled, moved], [0, 0, 0]);
    });
  }
});
