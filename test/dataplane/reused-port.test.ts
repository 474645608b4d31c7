/**
 * A client that uses a port again, as a NAT or a busy proxy does all the time, against a real kernel with ip_vs: its first
 * packet gets through. Runs itself in guests where this kernel has no ip_vs.
 */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { Forwarding } from "#speaker/forwarding/forwarding.ts";
import type { ForwardingKernel } from "#speaker/forwarding/kernel.ts";
import { openForwardingKernel } from "#speaker/forwarding/open-kernel.ts";
import { Clients } from "#test/dataplane/clients.ts";
import { becomeNode } from "#test/dataplane/own-node.ts";
import { endpoint, probe, wanting, web } from "#test/dataplane/ports.ts";
import { FakeClock } from "#test/fakes/clock.ts";
import { isInside, testInside } from "#test/network/inside.ts";

const MODE = "/proc/sys/net/ipv4/vs/conn_reuse_mode";

if (!isInside) {
  testInside("reused port", import.meta.filename);
} else {
  let kernel: ForwardingKernel;

  before(() => {
    becomeNode();
    kernel = openForwardingKernel({ sysctlRoot: "/proc/sys" });
  });
  after(() => kernel?.close());

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
}
