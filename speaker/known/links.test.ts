import assert from "node:assert/strict";
import { test } from "node:test";
import type { LinkAddress } from "../netlink/addr.ts";
import type { Link } from "../netlink/link.ts";
import { broadcastsOf, prefixContains } from "./links.ts";
import { nodeLinks, publishedLinks } from "./node-links.ts";

test("prefixes contain by their length, whatever their host bits", () => {
  const cases: readonly [prefix: string, vip: string, is: boolean][] = [
    ["172.30.0.1/24", "172.30.0.200", true],
    ["172.30.0.1/24", "172.30.1.200", false],
    ["172.30.0.1/32", "172.30.0.1", true],
    ["172.30.0.1/0", "9.9.9.9", true],
    ["172.30.0.1/24", "fd30::1", false],
    ["fd30::1/64", "fd30::200", true],
    ["fd30::1/64", "fd31::200", false],
    ["nonsense/24", "172.30.0.1", false],
  ];
  for (const [prefix, vip, is] of cases) assert.equal(prefixContains(prefix, vip), is, `${prefix} ${vip}`);
});

test("broadcast addresses are those of IPv4 links with more than two addresses", () => {
  const prefixes = ["192.168.50.11/24", "10.1.2.3/22", "10.9.0.1/31", "10.9.1.1/32", "fd00::1/64", "odd/24"];
  assert.deepEqual(
    [...broadcastsOf([{ name: "eth0", prefixes }])],
    [
      ["192.168.50.255", "192.168.50.0/24"],
      ["10.1.3.255", "10.1.0.0/22"],
    ],
  );
});

const link = (name: string, index: number, changes: Partial<Link> = {}): Link => ({
  name,
  index,
  hardwareAddress: "02000000000a",
  type: 1,
  mtu: 1500,
  isUp: true,
  hasCarrier: true,
  isLoopback: false,
  hasNeighbors: true,
  ...changes,
});
const address = (on: number, text: string, scope = 0): LinkAddress => ({
  link: on,
  address: text,
  prefixLength: 24,
  scope,
});

test("links that could announce, with the addresses that others reach", () => {
  const links = [
    link("lo", 1, { isLoopback: true }),
    link("eth1", 3, { hasCarrier: false }),
    link("eth0", 2),
    link("tunl0", 4, { hasNeighbors: false }),
    link("veth0", 5),
  ];
  const found = nodeLinks(links, [
    address(2, "172.30.0.1"),
    address(2, "169.254.1.1", 253),
    address(3, "10.0.0.1"),
  ]);
  assert.deepEqual(
    found.map(({ name, isUp, prefixes }) => [name, isUp, prefixes]),
    [
      ["eth0", true, ["172.30.0.1/24"]],
      ["eth1", false, ["10.0.0.1/24"]],
      ["veth0", true, []],
    ],
  );
  assert.deepEqual(
    publishedLinks(found, new Set()).map(({ name }) => name),
    ["eth0"],
  );
  assert.deepEqual(
    publishedLinks(found, new Set(["veth0", "eth1"])).map(({ name }) => name),
    ["eth0", "veth0"],
  );
});
