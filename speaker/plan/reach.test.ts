import assert from "node:assert/strict";
import { test } from "node:test";
import { formatRange } from "#api/address.ts";
import type { NodeView, PoolView, SpeakerState } from "../known/view.ts";
import { routedRanges, tunnelSources } from "./reach.ts";

const state = (...prefixes: string[]): SpeakerState => ({
  isReady: true,
  links: [{ name: "eth0", prefixes }],
});
const node = (name: string, own: string[], said?: string[]): NodeView => ({
  name,
  labels: {},
  addresses: {},
  own,
  ...(said && { tunnelSources: said }),
});

const sources = (nodes: readonly NodeView[], states: Readonly<Record<string, SpeakerState>>): string[] =>
  tunnelSources({
    nodes: new Map(nodes.map((one) => [one.name, one])),
    members: { live: [], dead: [], states: new Map(Object.entries(states)) },
  });

test("tunnels come from addresses of nodes, of their links, and of what their CNIs tell", () => {
  const found = sources([node("a", ["10.0.0.1", "fd00::1"]), node("b", ["10.0.0.2"], ["10.244.2.0"])], {
    a: state("10.0.0.1/24", "10.244.1.0/32", "FD44::1/64"),
    b: state("nonsense", ""),
    gone: state("10.6.6.6/24"),
  });
  assert.deepEqual(found, ["10.0.0.1", "10.0.0.2", "10.244.1.0", "10.244.2.0", "fd00::1", "fd44::1"]);
});

test("a node that says more than it can have fills no set", () => {
  const many = Array.from({ length: 50_000 }, (_, at) => `10.${at >> 8}.${at & 255}.1/24`);
  assert.equal(sources([node("a", ["10.255.0.1"])], { a: state(...many) }).length, 64);
});

const pool = (addresses: string[], lengths: number[], protocol = "bgp"): PoolView => ({
  name: "p",
  addresses,
  protocol,
  nodeSelectors: [],
  interfaces: [],
  advertisements: lengths.map((length) => ({
    aggregation: { IPv4: length, IPv6: 128 },
    communities: [],
    largeCommunities: [],
    peers: [],
    nodeSelectors: [],
    serviceSelectors: [],
  })),
});

const ROUTED: readonly [what: string, pools: PoolView[], links: string[], ranges: string[]][] = [
  ["each address alone: the pool itself", [pool(["198.51.100.8/29"], [])], [], ["198.51.100.8/29"]],
  ["the aggregate", [pool(["198.51.100.8-198.51.100.9"], [32, 24])], [], ["198.51.100.0/24"]],
  [
    "aggregates at both ends of a range",
    [pool(["198.51.100.250-198.51.101.5"], [24])],
    [],
    ["198.51.100.0/23"],
  ],
  [
    "not what is on a link",
    [pool(["198.51.100.8/29"], [24])],
    ["198.51.100.65/26"],
    ["198.51.100.0/26", "198.51.100.128/25"],
  ],
  ["nothing of what is wholly on a link", [pool(["198.51.100.8/29"], [])], ["198.51.100.1/24"], []],
  ["nothing of layer 2", [pool(["198.51.100.8/29"], [24], "layer2")], [], []],
  ["what cannot be read has none", [pool(["nonsense", "2001:db8::/64"], [24])], ["x/y"], ["2001:db8::/64"]],
];
for (const [what, pools, links, ranges] of ROUTED) {
  test(`what routers may send here: ${what}`, () => {
    assert.deepEqual(routedRanges(pools, state(...links)).map(formatRange), ranges);
  });
}
