/**
 * A node whose speaker died and never came back, and what docs/uninstall.md has an operator do there: after its commands
 * the node is as it was before Genkan. Runs itself in guests where this kernel has no ip_vs.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Forwarding } from "#speaker/forwarding/forwarding.ts";
import { openForwardingKernel } from "#speaker/forwarding/open-kernel.ts";
import { kernelState } from "#test/dataplane/kernel-state.ts";
import { wanting, web, web6 } from "#test/dataplane/ports.ts";
import { FakeClock } from "#test/fakes/clock.ts";
import { commandsOf } from "#test/integration/page-commands.ts";
import { isInside, testInside } from "#test/network/inside.ts";
import { ip, run } from "#test/network/namespace.ts";

const shell = (block: string): string => run("bash", "-euo", "pipefail", "-c", block);

if (!isInside) {
  testInside("a node that was left", import.meta.filename, "long");
} else {
  test("after the commands of the page it is as it was found, and what is not ours is still there", async () => {
    ip(`link set lo up
      link add eth0 type dummy
      addr add 192.168.50.11/24 dev eth0
      -6 addr add fd50::11/64 dev eth0 nodad
      link set eth0 up
      rule add pref 50 fwmark 0x4000 lookup 50`);
    // The modules make these in every namespace.
    run("sh", "-c", "ip link add tunl0 type ipip; ip link add ip6tnl0 type ip6tnl; true");
    run("ipvsadm", "-A", "-f", "77", "-s", "rr");
    run("nft", "add table inet other");
    const found = kernelState();
    const kernel = openForwardingKernel({ sysctlRoot: "/proc/sys" });
    await new Forwarding(kernel, { clock: new FakeClock() }).reconcile(wanting([web(), web6()]));
    kernel.close();
    assert.notEqual(kernelState(), found);

    const [look = "", remove = "", each = ""] = commandsOf("docs/uninstall.md", "A node that was left");
    const seen = shell(look);
    shell(remove);
    const [ipv4 = "", ipv6 = ""] = each.split("\n");
    const services = run("ipvsadm", "-Sn");
    const marks = [...seen.matchAll(/0x[0-9a-f]{8}/g)].map(([mark]) => Number(mark));
    assert.ok(marks.length >= 4, seen);
    for (const mark of marks) {
      if (services.includes(`-A -f ${mark} -s`)) shell(ipv4.replace("MARK", String(mark)));
      if (services.includes(`-A -f ${mark} -6 -s`)) shell(ipv6.replace("MARK", String(mark)));
    }
    for (const [, name, value] of seen.matchAll(/"([\w./-]+)=(.*)"/g)) {
      run("sysctl", "-qw", `${name}=${value}`);
    }
    assert.equal(kernelState(), found);
  });
}
