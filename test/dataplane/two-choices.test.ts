/**
 * Where no packet says which pod the first node chose, the pod's node chooses itself: two of its pods have one tag, or there is
 * no tunnel. Flows of both families come by another node, for longer than nodes wait to tell each other of connections.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { FAMILIES } from "#api/address.ts";
import { tagOfAddress } from "#speaker/forwarding/tags.ts";
import { BareNodes, type Told } from "#test/dataplane/bare-nodes.ts";
import { script } from "#test/network/machine.ts";
import type { PodPlace } from "#test/network/three-nodes.ts";

/** Of each family. */
const COUNT = 30;
/** Of a flow's echoes, five a second: messages wait for up to 2 s and come again every 3 s. */
const ECHOES = 45;

let nodes: BareNodes;
/** All of them, where they are at the moment. */
let pods: readonly PodPlace[];

before(async () => {
  nodes = await BareNodes.start();
  pods = nodes.topology.pods;
});
after(async () => nodes?.[Symbol.asyncDispose]());

/** Moves the second pod of n2 to addresses whose last 9 bits are those of the first one's. */
async function makeAlike(): Promise<void> {
  const { machine, topology } = nodes;
  const [first, second] = topology.pods.filter(isOnSecond);
  assert.ok(first !== undefined && second !== undefined);
  const place = {
    ...second,
    IPv4: first.IPv4.replace(/\.2\.(\d+)$/, ".4.$1"),
    IPv6: first.IPv6.replace(/::(\w+)$/, "::2$1"),
  };
  for (const family of FAMILIES) {
    assert.notEqual(place[family], first[family]);
    assert.equal(tagOfAddress(place[family]), tagOfAddress(first[family]));
  }
  const gateways = { IPv4: second.IPv4.replace(/\d+$/, "1"), IPv6: second.IPv6.replace(/\w+$/, "1") };
  const lines = [
    ...[`ip addr add ${place.IPv4}/32 dev eth0`, `ip addr add ${place.IPv6}/64 dev eth0 nodad`],
    ...FAMILIES.map((family) => `ip route replace default via ${gateways[family]} src ${place[family]}`),
  ];
  await script(machine, lines.join("\n"), { netns: second.netns });
  for (const { name, netns } of topology.nodes) {
    const way = name === "n2" ? "dev cni0" : `via ${topology.nodes[1]?.IPv4}`;
    await script(machine, `ip route add ${place.IPv4}/32 ${way}`, { netns });
  }
  pods = pods.map((pod) => (pod === second ? place : pod));
}

interface World {
  readonly what: string;
  readonly begin: () => Promise<unknown>;
  readonly told: Told;
}

const WORLDS: readonly World[] = [
  { what: "tunnel none", begin: async () => {}, told: { tunnel: "none" } },
  { what: "two pods of a node with one tag", begin: makeAlike, told: {} },
];

const isOnSecond = ({ node }: PodPlace): boolean => node === "n2";
const isFirstOnSecond = ({ name }: PodPlace): boolean => name === "p2a";

interface Case {
  readonly what: string;
  readonly tell: (told: Told) => Promise<unknown>;
  /** By whom flows come; absent: n1. */
  readonly by?: readonly string[];
  readonly protocol?: "TCP" | "UDP";
  /** Some end; absent: none. */
  readonly someEnd?: true;
}

const CASES: readonly Case[] = [
  {
    what: "mh, by two nodes: none ends",
    tell: (told) => nodes.tellAll({ ...told, pods }),
    by: ["n1", "n3"],
  },
  {
    what: "mh with shared connections, by two nodes: none ends",
    tell: (told) => nodes.tellAll({ ...told, pods, isShared: true }),
    by: ["n1", "n3"],
  },
  {
    what: "the same, by UDP: none ends",
    tell: (told) => nodes.tellAll({ ...told, pods, isShared: true, protocol: "UDP" }),
    by: ["n1", "n3"],
    protocol: "UDP",
  },
  {
    what: "the same, where nodes prefer their own pods and the first has none: none ends",
    tell: (told) =>
      nodes.tellAll({
        ...told,
        pods: pods.filter(({ node }) => node !== "n1"),
        isShared: true,
        prefersLocal: true,
      }),
  },
  {
    what: "rr, which has a turn of its own on each node: none ends",
    tell: (told) => nodes.tellAll({ ...told, pods: pods.filter(isOnSecond), scheduler: "rr" }),
  },
  {
    // By two nodes: one and the pods' node may take their turns in step.
    what: "a control that must lose flows: rr with shared connections, by two nodes",
    by: ["n1", "n3"],
    tell: (told) =>
      nodes.tellAll({ ...told, pods: pods.filter(isOnSecond), scheduler: "rr", isShared: true }),
    someEnd: true,
  },
  {
    what: "a control that must lose flows: mh with shared connections, and the first node has not heard of a pod",
    tell: async (told) => {
      await nodes.tell("n1", { ...told, pods: pods.filter(isFirstOnSecond), isShared: true });
      for (const name of ["n2", "n3"])
        await nodes.tell(name, { ...told, pods: pods.filter(isOnSecond), isShared: true });
    },
    someEnd: true,
  },
];

for (const { what, begin, told } of WORLDS) {
  describe(what, { concurrency: false }, () => {
    before(begin);

    for (const { what: name, tell, by = ["n1"], protocol = "TCP", someEnd } of CASES) {
      test(name, async (t) => {
        await tell(told);
        await nodes.reachBy(...by);
        // Where some end, not all of them may begin.
        const flows = await nodes.flows({ count: COUNT, protocol, ...(someEnd && { echoes: 0 }) });
        await flows.progress(ECHOES, someEnd ? 20_000 : 60_000).catch(() => {});
        const { broken, stalled, moved, pods: chosen } = await flows.stop();
        t.diagnostic(JSON.stringify({ of: 2 * COUNT, broken, stalled, moved, chosen }));
        if (someEnd) assert.ok(broken + stalled > 0);
        else assert.deepEqual([broken, stalled, moved], [0, 0, 0]);
        assert.ok("p2a" in chosen && "p2b" in chosen, "the node chose among its pods");
      });
    }
  });
}
