/** With whom a node shares its connections, and by which link. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeLink } from "../known/node-links.ts";
import { isAlone, isSharedBy, sharing } from "./sharing.ts";

const link = (name: string, index: number, ...prefixes: string[]): NodeLink => ({
  ...{ name, index, prefixes },
  hardware: "",
  isUp: true,
  mtu: 1_500,
});
type Addresses = { IPv4?: string; IPv6?: string };
const partsOf = (nodes: Record<string, Addresses>, links: NodeLink[], live = Object.keys(nodes)) => ({
  node: "n1",
  knowledge: {
    nodes: new Map(Object.entries(nodes).map(([name, addresses]) => [name, { addresses, labels: { name } }])),
  },
  members: { judgement: { live } },
  monitor: { links: () => links },
});
const share = (...of: Parameters<typeof partsOf>) => sharing(partsOf(...of));

const LINKS = [link("eth0", 2, "198.51.100.1/24"), link("eth1", 3, "192.0.2.1/24", "2001:db8::1/64")];

test("by the link that has the node's own address, with all others that live", () => {
  const nodes = { n1: { IPv4: "192.0.2.1", IPv6: "2001:db8::1" }, n2: { IPv4: "192.0.2.2" }, n3: {} };
  const { settings, sync } = share(nodes, LINKS, ["n1", "n2", "n3", "n4"]);
  assert.equal(settings?.sharesConnections, true);
  assert.deepEqual(sync, {
    link: { name: "eth1", index: 3 },
    address: "192.0.2.1",
    peers: [{ node: "n2", address: "192.0.2.2" }],
  });
});

test("over IPv6 where the node has nothing else", () => {
  const nodes = { n1: { IPv6: "2001:db8::1" }, n2: { IPv4: "192.0.2.2", IPv6: "2001:db8::2" } };
  assert.deepEqual(share(nodes, LINKS).sync?.peers, [{ node: "n2", address: "2001:db8::2" }]);
});

test("by no link where none has the address, or the node is not known", () => {
  assert.deepEqual(Object.keys(share({ n1: { IPv4: "192.0.2.9" } }, LINKS)), ["settings"]);
  assert.deepEqual(Object.keys(share({}, LINKS)), ["settings"]);
});

test("connections come by the link that has the node's own address, and by no other", () => {
  const by = (own: Addresses): string[] =>
    LINKS.filter((one) => isSharedBy([one], partsOf({ n1: own }, LINKS))).map(({ name }) => name);
  assert.deepEqual(by({ IPv4: "192.0.2.1", IPv6: "2001:db8::1" }), ["eth1"]);
  assert.deepEqual(by({ IPv6: "2001:db8::1" }), ["eth1"]);
  assert.deepEqual(by({ IPv4: "192.0.2.9" }), []);
  assert.deepEqual(by({}), []);
});

test("a node is alone where no other one may have a speaker, whoever lives", () => {
  const alone = (nodes: Record<string, Addresses>, selector = {}): boolean =>
    isAlone(partsOf(nodes, LINKS, ["n1"]), selector);
  assert.equal(alone({ n1: {} }), true);
  assert.equal(alone({}), true);
  assert.equal(alone({ n1: {}, n2: {} }), false);
  assert.equal(alone({ n1: {}, n2: {} }, { name: "n1" }), true);
});
