/**
 * Each scheduler that may be asked for, in a real kernel with ip_vs: tier 1 has it, and connections reach pods by it.
 * Runs itself in guests where this kernel has no ip_vs.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { SCHEDULERS } from "#api/scheduler.ts";
import { Forwarding } from "#speaker/forwarding/forwarding.ts";
import type { ForwardingKernel } from "#speaker/forwarding/kernel.ts";
import { markOf } from "#speaker/forwarding/mark.ts";
import { openForwardingKernel } from "#speaker/forwarding/open-kernel.ts";
import { Clients } from "#test/dataplane/clients.ts";
import { becomeNode } from "#test/dataplane/own-node.ts";
import { endpoint, probe, wanting, web } from "#test/dataplane/ports.ts";
import { FakeClock } from "#test/fakes/clock.ts";
import { isInside, testInside } from "#test/network/inside.ts";
import { run } from "#test/network/namespace.ts";

if (!isInside) {
  testInside("schedulers", import.meta.filename, "long");
} else {
  let kernel: ForwardingKernel;
  let forwarding: Forwarding;

  before(() => {
    becomeNode();
    kernel = openForwardingKernel({ sysctlRoot: "/proc/sys" });
    forwarding = new Forwarding(kernel, { clock: new FakeClock() });
  });
  after(() => kernel?.close());

  for (const [number, scheduler] of SCHEDULERS.entries()) {
    test(`${scheduler}: IPVS has it in tier 1, and connections reach pods by it`, async () => {
      using clients = new Clients();
      const pods = ["10.244.1.10", "10.244.1.11"];
      const port = web({ scheduler, endpoints: pods.map((address) => endpoint(address, true)) });
      await forwarding.reconcile(wanting([port]));
      const saved = run("ipvsadm", "-Sn");
      assert.match(saved, new RegExp(`-A -f ${markOf(5000, 1, 0x1000)} -s ${scheduler}\\s`));
      // Clients whom no earlier scheduler has seen.
      const from = Array.from({ length: 8 }, (_, at) =>
        probe("IPv4", "TCP", `172.16.${100 + number}.${at + 1}`),
      );
      const left = (await clients.left(...from)).map((line) => line.split(" "));
      assert.deepEqual(
        left.map(([source]) => source),
        from.map(({ source }) => source),
      );
      const chosen = new Set(left.map(([, pod]) => pod));
      assert.ok(chosen.isSubsetOf(new Set(pods)));
      // dh looks at the Service's address alone; all others have spread eight clients over both.
      assert.equal(chosen.size, scheduler === "dh" ? 1 : 2);
      assert.equal((await forwarding.reconcile(wanting([port]))).writes, 0);
    });
  }
}
