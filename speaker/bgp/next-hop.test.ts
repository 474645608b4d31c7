import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type LinkAddress, type NextHopInput, type NextHops, nextHopsOf } from "./next-hop.ts";

const on = (link: string, ...prefixes: string[]): LinkAddress[] =>
  prefixes.map((prefix) => ({ link, prefix, address: prefix.split("/")[0] ?? "" }));

const LOOPBACK = on("lo", "127.0.0.1/8", "::1/128");
const MANAGEMENT = on("eth0", "192.168.7.11/24", "fd07::11/64", "fe80::11/64");
const NODE = { IPv4: "192.168.7.11", IPv6: "fd07::11" };
/** The link towards the router is not that of the InternalIPs. */
const TWO_LINKS = [...LOOPBACK, ...MANAGEMENT, ...on("eth1", "10.0.0.1/24", "fd00::1/64", "fe80::1/64")];
/** An unnumbered fabric: addresses on lo alone. */
const ON_LO = [...LOOPBACK, ...on("lo", "10.9.0.1/32", "fd09::1/128"), ...on("eth1", "fe80::1/64")];
const NODE_ON_LO = { IPv4: "10.9.0.1", IPv6: "fd09::1" };

type Case = readonly [what: string, given: Partial<NextHopInput>, expected: NextHops];

const CASES: readonly Case[] = [
  [
    "to a daemon on the node itself: the node's own addresses, and never 127.0.0.1",
    { local: "127.0.0.1", peer: "127.0.0.1" },
    { IPv4: [NODE.IPv4], IPv6: [NODE.IPv6] },
  ],
  [
    "to a daemon on the node itself, over IPv6",
    { local: "::1", peer: "::1", takesExtended: true },
    { IPv4: [NODE.IPv4], IPv6: [NODE.IPv6] },
  ],
  [
    "over IPv4: IPv6 by the link towards the peer, and not by the InternalIP",
    { local: "10.0.0.1", peer: "10.0.0.2" },
    { IPv4: ["10.0.0.1"], IPv6: ["fd00::1", "fe80::1"] },
  ],
  [
    "over IPv6: IPv4 by the link towards the peer",
    { local: "fd00::1", peer: "fd00::2" },
    { IPv4: ["10.0.0.1"], IPv6: ["fd00::1", "fe80::1"] },
  ],
  [
    "over IPv6 to a peer that takes IPv4 with it (RFC 8950)",
    { local: "fd00::1", peer: "fd00::2", takesExtended: true },
    { IPv4: ["fd00::1", "fe80::1"], IPv6: ["fd00::1", "fe80::1"] },
  ],
  [
    "over IPv6 to a peer behind other routers: no link-local address (RFC 2545 section 3)",
    { local: "fd00::1", peer: "2001:db8::2", takesExtended: true },
    { IPv4: ["fd00::1"], IPv6: ["fd00::1"] },
  ],
  [
    "over IPv4 to a peer behind other routers",
    { local: "10.0.0.1", peer: "192.0.2.1" },
    { IPv4: ["10.0.0.1"], IPv6: ["fd00::1"] },
  ],
  [
    "over a link with a global address of its own (RFC 2545 section 3)",
    { local: "fe80::1", peer: "fe80::2", link: "eth1", takesExtended: true },
    { IPv4: ["fd00::1", "fe80::1"], IPv6: ["fd00::1", "fe80::1"] },
  ],
  [
    "over a link without one: the link-local address alone, which any router on the link can reach",
    {
      local: "fe80::1",
      peer: "fe80::2",
      link: "eth1",
      takesExtended: true,
      addresses: ON_LO,
      node: NODE_ON_LO,
    },
    { IPv4: ["fe80::1"], IPv6: ["fe80::1"] },
  ],
  [
    "over a link without one to a peer that needs an IPv4 next hop: the InternalIP",
    { local: "fe80::1", peer: "fe80::2", link: "eth1", addresses: ON_LO, node: NODE_ON_LO },
    { IPv4: ["10.9.0.1"], IPv6: ["fe80::1"] },
  ],
  [
    "from lo to a peer behind other routers: lo's other address",
    { local: "10.9.0.1", peer: "192.0.2.1", addresses: ON_LO, node: {} },
    { IPv4: ["10.9.0.1"], IPv6: ["fd09::1"] },
  ],
  [
    "of a link with several addresses: the InternalIP if it is there",
    {
      local: "192.168.7.11",
      peer: "192.168.7.1",
      addresses: [...on("eth0", "fd07::aaaa/64"), ...MANAGEMENT],
    },
    { IPv4: ["192.168.7.11"], IPv6: ["fd07::11", "fe80::11"] },
  ],
  [
    "where nobody knows the link: the InternalIP",
    { local: "10.0.0.1", peer: "10.0.0.2", addresses: [] },
    { IPv4: ["10.0.0.1"], IPv6: ["fd07::11"] },
  ],
  [
    "what the BGPPeer says: an address that is none of the link's, alone",
    { local: "10.0.0.1", peer: "10.0.0.2", chosen: { IPv4: "10.0.0.7", IPv6: "fd00::7" } },
    { IPv4: ["10.0.0.7"], IPv6: ["fd00::7"] },
  ],
  [
    "of one family alone; the other one as ever",
    { local: "fd00::1", peer: "fd00::2", takesExtended: true, chosen: { IPv4: "10.9.0.1" } },
    { IPv4: ["10.9.0.1"], IPv6: ["fd00::1", "fe80::1"] },
  ],
  [
    "an address of the link that the peer shares: the link-local one with it (RFC 2545 section 3)",
    { local: "10.0.0.1", peer: "10.0.0.2", chosen: { IPv6: "fd00::1" } },
    { IPv4: ["10.0.0.1"], IPv6: ["fd00::1", "fe80::1"] },
  ],
  [
    "to a peer behind other routers without it",
    { local: "fd00::1", peer: "2001:db8::2", chosen: { IPv6: "fd00::1" } },
    { IPv4: ["10.0.0.1"], IPv6: ["fd00::1"] },
  ],
  [
    "to a daemon on the node itself, too",
    { local: "127.0.0.1", peer: "127.0.0.1", chosen: { IPv4: "10.9.0.1" } },
    { IPv4: ["10.9.0.1"], IPv6: [NODE.IPv6] },
  ],
  [
    "of a kind that the node has none of: that family is not advertised",
    { local: "10.0.0.1", peer: "10.0.0.2", chosen: { IPv6: null } },
    { IPv4: ["10.0.0.1"] },
  ],
  [
    "the peer's own address: not advertised (RFC 4271 section 5.1.3)",
    { local: "10.0.0.1", peer: "10.0.0.2", chosen: { IPv4: "10.0.0.2" } },
    { IPv6: ["fd00::1", "fe80::1"] },
  ],
  [
    "on a node without the other family: that one is not advertised",
    { local: "10.0.0.1", peer: "10.0.0.2", addresses: [...LOOPBACK, ...on("eth1", "10.0.0.1/24")], node: {} },
    { IPv4: ["10.0.0.1"] },
  ],
];

describe("next hops (RFC 4760 section 3, RFC 2545 section 3)", () => {
  for (const [what, given, expected] of CASES) {
    test(what, () => {
      const input = { link: undefined, addresses: TWO_LINKS, node: NODE, takesExtended: false };
      assert.deepEqual(nextHopsOf({ ...input, local: "", peer: "", ...given }), expected);
    });
  }
});
