import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeNeighbor, type Neighbor } from "#speaker/netlink/neighbor.ts";
import { routerAmong } from "./unnumbered.ts";

const neighbor = (address: string, link = 7, isRouter = true): Neighbor => ({
  address,
  link,
  isUnanswered: false,
  isRouter,
});

test("the peer on a link is its router's link-local address", () => {
  const cases: readonly (readonly [string, readonly Neighbor[], string | undefined])[] = [
    ["nobody", [], undefined],
    ["a host", [neighbor("fe80::1", 7, false)], undefined],
    ["a router of another link", [neighbor("fe80::1", 8)], undefined],
    ["a global address", [neighbor("2001:db8::1")], undefined],
    ["a router", [neighbor("fe80::9", 8), neighbor("fe80::2")], "fe80::2"],
    ["two, always the same", [neighbor("fe80::3"), neighbor("fe80::2")], "fe80::2"],
  ];
  for (const [what, neighbors, expected] of cases) assert.equal(routerAmong(neighbors, 7), expected, what);
});

test("a neighbor message of Linux 6.18", () => {
  const message = Buffer.from(
    "0a000000 02000000 0400 80 01 14000100 fe80000000000000b02e04fffee89280 0a000200 b22e04e892800000".replaceAll(
      " ",
      "",
    ),
    "hex",
  );
  assert.deepEqual(decodeNeighbor(message), neighbor("fe80::b02e:4ff:fee8:9280", 2));
});
