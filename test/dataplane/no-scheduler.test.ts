/**
 * A kernel without the module ip_vs_rr, which lists of tier 2 need where a pod is on the node. Debian's kernel in a guest: there
 * it is a module, which this test takes away, so that it runs nowhere else.
 */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { Forwarding } from "#speaker/forwarding/forwarding.ts";
import type { ForwardingKernel } from "#speaker/forwarding/kernel.ts";
import { openForwardingKernel } from "#speaker/forwarding/open-kernel.ts";
import type { ForwardedPort } from "#speaker/forwarding/types.ts";
import { Clients } from "#test/dataplane/clients.ts";
import { becomeNode } from "#test/dataplane/own-node.ts";
import { endpoint, probe, wanting, web } from "#test/dataplane/ports.ts";
import { FakeClock } from "#test/fakes/clock.ts";
import { isInside, testUnderQemu } from "#test/network/inside.ts";
import { run } from "#test/network/namespace.ts";

/** The program by which the kernel loads a module that it needs. */
const LOADER = "/proc/sys/kernel/modprobe";
const OTHER = "192.168.50.101";

if (!isInside) {
  testUnderQemu("a kernel without ip_vs_rr", import.meta.filename);
} else {
  describe("without ip_vs_rr", { concurrency: false }, () => {
    let kernel: ForwardingKernel;
    let forwarding: Forwarding;
    let clients: Clients;
    const loader = readFileSync(LOADER, "utf8");
    const remote = (address: string) => web({ endpoints: [endpoint(address, false)] });
    const local = web({ id: 5002, vip: OTHER, endpoints: [endpoint("10.244.1.10", true)] });
    const pass = (...ports: ForwardedPort[]) => forwarding.reconcile(wanting(ports));
    /** What leaves the node for a packet of a client to the address. */
    const left = (source: string, vip = "192.168.50.100"): Promise<string[]> =>
      clients.left(probe("IPv4", "TCP", source, { vip }));

    before(() => {
      becomeNode();
      run("rmmod", "ip_vs_rr");
      writeFileSync(LOADER, "/bin/false");
      kernel = openForwardingKernel({ sysctlRoot: "/proc/sys" });
      forwarding = new Forwarding(kernel, { clock: new FakeClock() });
      clients = new Clients();
    });
    after(() => {
      writeFileSync(LOADER, loader);
      clients?.[Symbol.dispose]();
      kernel?.close();
    });

    test("a node without pods of Services forwards", async () => {
      assert.deepEqual((await pass(remote("10.244.2.10"))).refused, []);
      assert.deepEqual(await left("172.16.1.1"), ["192.168.50.11 10.244.2.10"]);
    });

    test("with a pod the pass fails, and says which scheduler it is; nothing of that Service is taken", async () => {
      await assert.rejects(pass(remote("10.244.2.10"), local), {
        code: "NoScheduler",
        message: /scheduler rr: the kernel has no such scheduler$/,
      });
      assert.deepEqual(await clients.reached(probe("IPv4", "TCP", "172.16.1.2", { vip: OTHER })), []);
    });

    test("what was forwarded before still is, and changes of it are followed", async () => {
      assert.deepEqual(await left("172.16.1.3"), ["192.168.50.11 10.244.2.10"]);
      await assert.rejects(pass(remote("10.244.3.10"), local), { code: "NoScheduler" });
      assert.deepEqual(await left("172.16.1.4"), ["192.168.50.11 10.244.3.10"]);
    });

    test("a Service that asks for it by itself is refused alone", async () => {
      const own = { ...remote("10.244.2.10"), scheduler: "rr", hasOwnScheduler: true };
      const { refused } = await pass(own, { ...remote("10.244.3.10"), id: 5004, vip: OTHER });
      assert.equal(refused.length, 1);
      assert.deepEqual(await left("172.16.1.5", OTHER), ["192.168.50.11 10.244.3.10"]);
    });

    test("once the module is there the next pass serves it", async () => {
      writeFileSync(LOADER, loader);
      assert.deepEqual((await pass(remote("10.244.3.10"), local)).refused, []);
      assert.match((await left("172.16.1.6", OTHER)).join(), / 10\.244\.1\.10$/);
    });
  });
}
