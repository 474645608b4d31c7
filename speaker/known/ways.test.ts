/** Which nodes are on a link of this one, by the kernel's ways. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeView, SpeakerState } from "./view.ts";
import { nodesOnLink, type Way } from "./ways.ts";

const node = (
  IPv4: string,
  tunnelSources: readonly string[],
): Pick<NodeView, "addresses" | "own" | "tunnelSources"> => ({
  addresses: { IPv4 },
  own: [IPv4],
  tunnelSources,
});
const NODES = new Map([
  ["n1", node("10.0.0.1", ["10.244.1.0", "10.244.1.1"])],
  ["n2", node("10.0.0.2", ["10.244.2.0", "10.244.2.1"])],
]);
const ETH0 = 2;
const FLANNEL = 5;
const states = new Map<string, SpeakerState>([
  ["n2", { isReady: true, links: [{ name: "flannel.1", prefixes: ["10.244.2.0/32"] }] }],
]);
const by = (link: number, gateway?: string): Way => ({ link, ...(gateway !== undefined && { gateway }) });

const CASES: readonly (readonly [what: string, ways: Readonly<Record<string, Way>>, isNear: boolean])[] = [
  [
    "its pods by its own address",
    { "10.0.0.2": by(ETH0), "10.244.2.0": by(ETH0, "10.0.0.2"), "10.244.2.1": by(ETH0, "10.0.0.2") },
    true,
  ],
  [
    "its pods by an overlay whose other end is its own",
    {
      "10.0.0.2": by(ETH0),
      "10.244.2.0": by(FLANNEL, "10.244.2.0"),
      "10.244.2.1": by(FLANNEL, "10.244.2.0"),
    },
    true,
  ],
  [
    "its address by a router",
    {
      "10.0.0.2": by(ETH0, "10.0.0.254"),
      "10.244.2.0": by(FLANNEL, "10.244.2.0"),
      "10.244.2.1": by(FLANNEL, "10.244.2.0"),
    },
    false,
  ],
  [
    "its pods by a router",
    { "10.0.0.2": by(ETH0), "10.244.2.0": by(ETH0, "10.0.0.254"), "10.244.2.1": by(ETH0, "10.0.0.254") },
    false,
  ],
  [
    "its pods by a link without neighbours, as a tunnel is one",
    { "10.0.0.2": by(ETH0), "10.244.2.0": by(9, "10.0.0.2"), "10.244.2.1": by(9, "10.0.0.2") },
    false,
  ],
  [
    "its pods straight on the link: frames would go to the pod",
    { "10.0.0.2": by(ETH0), "10.244.2.0": by(ETH0), "10.244.2.1": by(ETH0) },
    false,
  ],
  ["no way to one of its addresses", { "10.0.0.2": by(ETH0), "10.244.2.0": by(ETH0, "10.0.0.2") }, false],
];
for (const [what, ways, isNear] of CASES) {
  test(`on the link or not: ${what}`, () => {
    const known = { node: "n1", nodes: NODES, states, links: new Set([ETH0, FLANNEL]) };
    const found = nodesOnLink(known, (addresses) => addresses.map((address) => ways[address]));
    assert.deepEqual(found, isNear ? ["n2"] : []);
  });
}

test("of a node without podCIDRs nothing can be said", () => {
  const nodes = new Map([["n2", node("10.0.0.2", [])]]);
  const known = { node: "n1", nodes, states, links: new Set([ETH0]) };
  assert.deepEqual(
    nodesOnLink(known, (addresses) => addresses.map(() => by(ETH0))),
    [],
  );
});
