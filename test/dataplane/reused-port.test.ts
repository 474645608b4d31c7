/**
 * A client that uses a port again, as a NAT or a busy proxy does all the time, against a real kernel with ip_vs: its first
 * packet gets through, and answers come from where it asked. Runs itself in guests where this kernel has no ip_vs.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { after, before, test } from "node:test";
import type { Family } from "#api/address.ts";
import { Forwarding } from "#speaker/forwarding/forwarding.ts";
import type { ForwardingKernel } from "#speaker/forwarding/kernel.ts";
import { openForwardingKernel } from "#speaker/forwarding/open-kernel.ts";
import type { Protocol } from "#speaker/forwarding/types.ts";
import { Clients } from "#test/dataplane/clients.ts";
import { becomeNode } from "#test/dataplane/own-node.ts";
import { endpoint, probe, wanting, web } from "#test/dataplane/ports.ts";
import { FakeClock } from "#test/fakes/clock.ts";
import { isInside, testInside } from "#test/network/inside.ts";
import { ip, run } from "#test/network/namespace.ts";
import { datagramsFromPort } from "./datagrams-from-port.ts";
import { fromPort } from "./from-port.ts";

const MODE = "/proc/sys/net/ipv4/vs/conn_reuse_mode";

if (!isInside) {
  testInside("reused port", import.meta.filename, "long");
} else {
  let kernel: ForwardingKernel;
  let pod: ChildProcess | undefined;
  const program = (name: string): string => new URL(name, import.meta.url).pathname;

  before(async () => {
    becomeNode();
    kernel = openForwardingKernel({ sysctlRoot: "/proc/sys" });
    await becomePodAndClient();
  });
  after(() => {
    pod?.kill("SIGKILL");
    kernel?.close();
  });

  test("the first packet of a connection from a port that another one has just left goes to a pod of another node", async () => {
    using clients = new Clients();
    const forwarding = new Forwarding(kernel, { clock: new FakeClock() });
    await forwarding.reconcile(wanting([web({ endpoints: [endpoint("10.244.2.10", false)] })]));
    const packet = (source: string, flag: "SYN" | "ACK" | "RST") => ({
      ...probe("IPv4", "TCP", source),
      flag,
    });
    /** What leaves for the second connection of a port. */
    const again = async (source: string): Promise<string[]> => {
      assert.deepEqual(await clients.left(packet(source, "SYN")), ["192.168.50.11 10.244.2.10"]);
      for (const flag of ["ACK", "RST"] as const) await clients.left(packet(source, flag));
      return clients.left(packet(source, "SYN"));
    };
    assert.deepEqual(await again("172.16.1.1"), ["192.168.50.11 10.244.2.10"]);
    // The kernel's own way, that our setting keeps it from: it drops the packet, and the client sends it again after a second.
    writeFileSync(MODE, "1");
    assert.deepEqual(await again("172.16.1.2"), []);
  });

  /** A pod of this node and a client beyond a router, each in a namespace of its own. */
  async function becomePodAndClient(): Promise<void> {
    for (const [name, digit, [node, address, node6, address6]] of [
      ["pod", "1", ["10.244.1.1/24", "10.244.1.10/24", "fd44:1::1/64", "fd44:1::10/64"]],
      ["client", "2", ["10.9.0.1/24", "10.9.0.2/24", "fd09::1/64", "fd09::2/64"]],
    ] as const) {
      const gateway = (of: string): string => of.split("/")[0] ?? of;
      ip(`netns add ${name}
        link add to-${name} type veth peer name eth0 netns ${name}
        link set to-${name} address 02:00:00:00:00:0${digit}
        link set to-${name} up
        addr add ${node} dev to-${name}
        -6 addr add ${node6} dev to-${name} nodad
        -n ${name} link set lo up
        -n ${name} link set eth0 up
        -n ${name} addr add ${address} dev eth0
        -n ${name} -6 addr add ${address6} dev eth0 nodad
        -n ${name} route add default via ${gateway(node)}
        -n ${name} -6 route add default via ${gateway(node6)}`);
    }
    writeFileSync("/proc/sys/net/ipv4/ip_forward", "1");
    writeFileSync("/proc/sys/net/ipv6/conf/all/forwarding", "1");
    pod = spawn("ip", ["netns", "exec", "pod", process.execPath, program("echo-server.ts"), "p1", "8080"], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    assert.ok(pod.stdout !== null);
    await once(pod.stdout, "data");
  }

  const [one, other] = ["192.168.50.100", "192.168.50.101"];

  /** Two addresses of each family, of the same pod. */
  async function forwardTwo(protocol: Protocol): Promise<void> {
    const pods = { IPv4: [endpoint("10.244.1.10", true)], IPv6: [endpoint("fd44:1::10", true)] };
    const port = (id: number, vip: string, family: Family) =>
      web({ id, vip, family, protocol, endpoints: pods[family] });
    const forwarding = new Forwarding(kernel, { clock: new FakeClock() });
    await forwarding.reconcile(
      wanting([
        ...[port(5000, one, "IPv4"), port(5002, other, "IPv4")],
        ...[port(5004, "fd50::100", "IPv6"), port(5005, "fd50::101", "IPv6")],
      ]),
    );
  }

  /** What the program says of each port of a client beyond the node. */
  const beyondBy =
    (name: string) =>
    (...ports: readonly (readonly [port: number, ...to: string[]])[]): string[] => {
      const client = ["netns", "exec", "client", process.execPath, program(name)];
      const asked = ports.map((some) => some.join(" "));
      return run("ip", ...client, ...asked)
        .trim()
        .split("\n");
    };

  test("a port that is used for two addresses of the same pod, and then for the first one again, is answered by each", async (t) => {
    await forwardTwo("TCP");
    const beyond = beyondBy("from-port.ts");
    assert.deepEqual(beyond([41_000, one, other, one], [41_001, "fd50::100", "fd50::101", "fd50::100"]), [
      "p1 / p1 / p1",
      "p1 / p1 / p1",
    ]);
    assert.deepEqual(await fromPort(41_002, [one, other, one]), ["p1", "p1", "p1"]);
    // Without our rule the third connection gets the answers of the second one's address.
    run("nft", "flush chain inet genkan answers");
    const [answers = ""] = beyond([41_003, one, other, one]);
    t.diagnostic(answers);
    assert.match(answers, /^p1 \/ p1 \/ 192\.168\.50\.100: /);
  });

  test("a port that is used for datagrams to two addresses of the same pod at once is answered by each", async (t) => {
    await forwardTwo("UDP");
    const beyond = beyondBy("datagrams-from-port.ts");
    const asked = [
      [42_000, one, other],
      [42_001, "fd50::100", "fd50::101"],
    ] as const;
    assert.deepEqual(beyond(...asked), ["p1 / p1", "p1 / p1"]);
    assert.deepEqual(await datagramsFromPort(42_002, [one, other]), ["p1", "p1"]);
    // Without our rule one of the two gets the answers of the other one's address.
    run("nft", "flush chain inet genkan answers");
    const [answers = ""] = beyond([42_003, one, other]);
    t.diagnostic(answers);
    assert.match(answers, /192\.168\.50\.10[01]: from 192\.168\.50\.10[01]/);
  });
}
