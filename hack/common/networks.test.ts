import assert from "node:assert/strict";
import { test } from "node:test";
import { bridgeLines, cableLines, namespaceLines, routeLines } from "#hack/common/networks.ts";

test("a namespace has loopback, and its settings before anything is in it", () => {
  assert.deepEqual(namespaceLines("n1", ["net.a=1", "net.b=2"]), [
    "ip netns add n1",
    "nsenter --net=/run/netns/n1 sysctl -qw net.a=1 net.b=2",
    "ip -n n1 link set lo up",
  ]);
  assert.deepEqual(namespaceLines("n1"), ["ip netns add n1", "ip -n n1 link set lo up"]);
});

test("a cable between two namespaces, one end with addresses", () => {
  assert.deepEqual(
    cableLines(
      {
        namespace: "a",
        link: "eth0",
        hardware: "02:00:00:00:00:01",
        addresses: ["10.0.0.1/24", "fd00::1/64"],
      },
      { namespace: "b", link: "eth1" },
    ),
    [
      "ip link add eth0 address 02:00:00:00:00:01 netns a type veth peer name eth1 netns b",
      "ip -n a link set eth0 up",
      "ip -n a addr add 10.0.0.1/24 dev eth0",
      "ip -n a addr add fd00::1/64 dev eth0 nodad",
      "ip -n b link set eth1 up",
    ],
  );
});

test("a port of a bridge of this machine", () => {
  assert.deepEqual(bridgeLines({ link: "br0", addresses: ["10.0.0.254/24"] }, "mcast_snooping 0"), [
    "ip link add br0 type bridge mcast_snooping 0",
    "ip addr add 10.0.0.254/24 dev br0",
    "ip link set br0 up",
  ]);
  assert.deepEqual(cableLines({ link: "port1", bridge: "br0" }, { namespace: "b", link: "eth0" }), [
    "ip link add port1 type veth peer name eth0 netns b",
    "ip link set port1 master br0 up",
    "ip -n b link set eth0 up",
  ]);
});

test("a route goes by the router of its family, and there is none without one", () => {
  assert.deepEqual(routeLines("n", ["10.0.0.0/8", "fd00::/8", "default"], ["192.0.2.1"]), [
    "ip -n n route add 10.0.0.0/8 via 192.0.2.1",
    "ip -n n route add default via 192.0.2.1",
  ]);
  assert.deepEqual(routeLines("n", ["fd00::/8"], ["192.0.2.1", "fd00::1"]), [
    "ip -n n route add fd00::/8 via fd00::1",
  ]);
});
