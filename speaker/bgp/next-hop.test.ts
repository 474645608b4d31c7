import assert from "node:assert/strict";
import { test } from "node:test";
import { type NextHops, nextHopsOf } from "./next-hop.ts";

const NODE = { IPv4: "10.0.0.1", IPv6: "fd00::1" };
const CASES: readonly [
  what: string,
  local: string,
  node: Partial<typeof NODE>,
  extended: boolean,
  hops: NextHops,
][] = [
  ["over IPv4", "10.0.0.7", NODE, true, { IPv4: ["10.0.0.7"], IPv6: ["fd00::1"] }],
  ["over IPv4 on a node without IPv6", "10.0.0.7", { IPv4: "10.0.0.1" }, true, { IPv4: ["10.0.0.7"] }],
  ["over IPv6", "fd00::7", NODE, false, { IPv4: ["10.0.0.1"], IPv6: ["fd00::7"] }],
  [
    "over IPv6 to a peer that takes IPv4 with it",
    "fd00::7",
    NODE,
    true,
    { IPv4: ["fd00::7"], IPv6: ["fd00::7"] },
  ],
  ["over IPv6 on a node without IPv4", "fd00::7", { IPv6: "fd00::1" }, false, { IPv6: ["fd00::7"] }],
  ["over a link", "fe80::7", NODE, true, { IPv4: ["fd00::1", "fe80::7"], IPv6: ["fd00::1", "fe80::7"] }],
  ["over a link on a node without an address", "fe80::7", {}, true, { IPv4: ["fe80::7"], IPv6: ["fe80::7"] }],
];
for (const [what, local, node, extended, hops] of CASES) {
  test(`next hops ${what}`, () => assert.deepEqual(nextHopsOf(local, node, extended), hops));
}
