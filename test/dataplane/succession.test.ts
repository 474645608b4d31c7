/**
 * A node on which an older build forwarded: its tier 2 had one virtual server for each port, where ours has one for each pod.
 * What other nodes tunnel to it finds a virtual server at each moment. Runs itself in guests where this kernel has no ip_vs.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Forwarding } from "#speaker/forwarding/forwarding.ts";
import type { ForwardingKernel, ServerTable } from "#speaker/forwarding/kernel.ts";
import { markOf } from "#speaker/forwarding/mark.ts";
import { openForwardingKernel } from "#speaker/forwarding/open-kernel.ts";
import { NetlinkError } from "#speaker/netlink/error.ts";
import { attemptOf, type Operation } from "#speaker/netlink/ipvs.ts";
import { becomeNode } from "#test/dataplane/own-node.ts";
import { endpoint, markOfPod, wanting, web } from "#test/dataplane/ports.ts";
import { writtenBy } from "#test/dataplane/server-table.ts";
import { FakeClock } from "#test/fakes/clock.ts";
import { isInside, testInside } from "#test/network/inside.ts";
import { run } from "#test/network/namespace.ts";

const PODS = ["10.244.1.10", "10.244.1.11"] as const;
const ENOENT = 2;
const OLDER = markOf(5000, 2, 0x1000);

/** Makes of our table and virtual servers what the older build left. */
function makeOlder(): void {
  const chains = ["decap", "handed_on4", "handed_on6", "in"];
  const succeeding = ["handed4", "handed6", "handed_error4", "handed_error6", "tags4", "tags6"];
  const port = "192.168.50.100 . tcp . 80";
  run(
    "nft",
    [
      ...chains.map((chain) => `flush chain inet genkan ${chain}`),
      ...succeeding.map((map) => `delete map inet genkan ${map}`),
      "add set inet genkan local4 { type ipv4_addr; }",
      "add map inet genkan tier2v4 { type ipv4_addr . inet_proto . inet_service : mark; }",
      `add element inet genkan local4 { ${PODS.join(", ")} }`,
      `add element inet genkan tier2v4 { ${port} : ${OLDER} }`,
      `add element inet genkan marks { ${OLDER} }`,
    ].join("\n"),
  );
  run("ipvsadm", "-A", "-f", String(OLDER), "-s", "mh", "-b", "mh-fallback,mh-port");
  for (const pod of PODS) {
    run("ipvsadm", "-a", "-f", String(OLDER), "-r", `${pod}:8080`, "-m", "-w", "1");
    run("ipvsadm", "-D", "-f", String(markOfPod(5000, pod)));
  }
}

/** Marks of virtual servers that are there. */
const present = (): number[] =>
  [...run("ipvsadm", "-Sn").matchAll(/^-A -f (\d+)/gm)].map(([, mark]) => Number(mark)).sort();

/** Marks that what was handed on gets, pod by pod. */
const handed = (): number[] =>
  [...run("nft", "list", "map", "inet", "genkan", "handed4").matchAll(/: 0x([0-9a-f]+)/g)]
    .map(([, mark]) => Number.parseInt(mark ?? "", 16))
    .sort();

/** The kernel's, but that it has no such scheduler. */
function withoutRr(servers: ServerTable): ServerTable {
  const isLacking = (operation: Operation): boolean =>
    operation.kind === "editService" && operation.service.scheduler === "rr";
  return writtenBy(servers, (operations) => {
    assert.deepEqual(servers.write(operations.filter((one) => !isLacking(one))), []);
    return operations.flatMap((one, index) =>
      isLacking(one) ? [{ index, error: new NetlinkError(attemptOf(one), ENOENT) }] : [],
    );
  });
}

if (!isInside) {
  testInside("succession", import.meta.filename);
} else {
  let kernel: ForwardingKernel;
  const options = { clock: new FakeClock() };
  const wanted = wanting([web({ endpoints: PODS.map((address) => endpoint(address, true)) })]);

  before(async () => {
    becomeNode();
    kernel = openForwardingKernel({ sysctlRoot: "/proc/sys" });
    await new Forwarding(kernel, options).reconcile(wanted);
  });
  after(() => kernel?.close());

  test("its virtual server takes what is handed on until each pod has its own", async () => {
    makeOlder();
    assert.ok(present().includes(OLDER));
    const seen: number[][] = [];
    const opened = openForwardingKernel({
      sysctlRoot: "/proc/sys",
      aroundNft: async (load, text) => {
        await load(text);
        // Once the rules are loaded: what they mark is there.
        if (text.includes("add rule")) seen.push(handed().filter((mark) => present().includes(mark)));
      },
    });
    using newer = { ...opened, [Symbol.dispose]: () => opened.close() };
    const { refused } = await new Forwarding(newer, options).reconcile(wanted);
    assert.deepEqual(refused, []);
    assert.deepEqual(seen, [[OLDER, OLDER]]);
    const own = PODS.map((pod) => markOfPod(5000, pod)).sort();
    assert.deepEqual(handed(), own);
    assert.deepEqual(
      present().filter((mark) => mark !== markOf(5000, 1, 0x1000)),
      own,
    );
    assert.doesNotMatch(run("nft", "list", "table", "inet", "genkan"), /tier2v4|local4/);
  });

  test("while the kernel lacks the scheduler of the lists for one pod, what is handed on finds the older ones", async () => {
    makeOlder();
    const opened = openForwardingKernel({ sysctlRoot: "/proc/sys" });
    using newer = { ...opened, servers: withoutRr(opened.servers), [Symbol.dispose]: () => opened.close() };
    const lacking = new Forwarding(newer, options);
    for (const _ of [1, 2]) {
      await assert.rejects(lacking.reconcile(wanted), { code: "NoScheduler" });
      assert.deepEqual(handed(), [OLDER, OLDER]);
      assert.ok(present().includes(OLDER));
    }
    await new Forwarding(kernel, options).reconcile(wanted);
    assert.deepEqual(handed(), PODS.map((pod) => markOfPod(5000, pod)).sort());
    assert.ok(!present().includes(OLDER));
  });
}
