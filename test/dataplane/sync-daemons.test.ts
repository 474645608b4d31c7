/**
 * The kernel's sync daemons under a real kernel: started, left alone, ended; whose messages are taken in; and what a
 * connection that another node tells of comes to here, where its pod is reached in another way.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { PORT } from "#api/names.ts";
import { Forwarding } from "#speaker/forwarding/forwarding.ts";
import type { ForwardingKernel } from "#speaker/forwarding/kernel.ts";
import { markOf } from "#speaker/forwarding/mark.ts";
import { openForwardingKernel } from "#speaker/forwarding/open-kernel.ts";
import { SYNC_ID } from "#speaker/forwarding/sync-message.ts";
import { SYNC_GROUP } from "#speaker/forwarding/sync-rules.ts";
import { DEFAULT_SETTINGS, type ForwardingInput, type SyncPeer } from "#speaker/forwarding/types.ts";
import { parseAddress } from "#speaker/netlink/bytes.ts";
import { endpoint, markOfPod, wanting, web } from "#test/dataplane/ports.ts";
import { FakeClock } from "#test/fakes/clock.ts";
import { isInside, testInside } from "#test/network/inside.ts";
import { ip, run } from "#test/network/namespace.ts";
import { until } from "#test/until.ts";

const [OWN, MEMBER, STRANGER] = ["192.168.50.11", "192.168.50.12", "192.168.50.66"];
const OTHER = "sync-other";
const UDP = 17;
const POD = "10.244.2.10";

interface Told {
  readonly mark: number;
  readonly clientPort: number;
  readonly pod?: string;
}

/** As the pod's own node tells of it: masqueraded there (struct ip_vs_sync_mesg, struct ip_vs_sync_v4). */
function message({ mark, clientPort, pod = POD }: Told): Buffer {
  const one = Buffer.alloc(36);
  one.writeUInt8(UDP, 1);
  one.writeUInt16BE(one.length, 2);
  one.writeUInt16BE(clientPort, 10);
  one.writeUInt16BE(80, 12);
  one.writeUInt16BE(8080, 14);
  one.writeUInt32BE(mark, 16);
  one.writeUInt32BE(300, 20);
  for (const [at, address] of ["172.16.0.1", "192.168.50.100", pod].entries())
    parseAddress(address).copy(one, 24 + 4 * at);
  const head = Buffer.from([0, SYNC_ID, 0, 8 + one.length, 1, 1, 0, 0]);
  return Buffer.concat([head, one]);
}

/** Another machine of the link says it to the group. */
function tell(from: string, told: Told): void {
  const program = `const s = require("node:dgram").createSocket("udp4");
s.bind(0, "${from}", () => {
  s.setMulticastInterface("${from}");
  s.send(Buffer.from("${message(told).toString("hex")}", "hex"), ${PORT.sync}, "${SYNC_GROUP.IPv4}", () => s.close());
});`;
  run("nsenter", `--net=/run/netns/${OTHER}`, "node", "-e", program);
}

if (!isInside) {
  testInside("sync daemons", import.meta.filename);
} else {
  let kernel: ForwardingKernel;
  let forwarding: Forwarding;
  const clock = new FakeClock();
  const remote = web({ protocol: "UDP", endpoints: [endpoint(POD, false)] });
  const index = (): number => Number.parseInt(run("ip", "-o", "link", "show", "eth0"), 10);
  const sharing = (peers: readonly SyncPeer[] = [{ node: "n2", address: MEMBER }]): ForwardingInput => ({
    ...wanting([remote]),
    members: [OWN, MEMBER],
    settings: { ...DEFAULT_SETTINGS, sharesConnections: true },
    sync: { link: { name: "eth0", index: index() }, address: OWN, peers },
  });
  const daemons = (): string => run("ipvsadm", "-L", "--daemon");
  const sysctls = (): string => run("sh", "-c", "grep -H . /proc/sys/net/ipv4/vs/* | sort");
  const entries = (): string => run("ipvsadm", "-Lnc");
  const mark = (tier: 1 | 2): number =>
    tier === 1 ? markOf(remote.id, tier, DEFAULT_SETTINGS.routingBit) : markOfPod(remote.id, POD);
  let found: string;

  before(() => {
    ip(`link set lo up
      netns add ${OTHER}
      link add eth0 type veth peer name eth0 netns ${OTHER}
      addr add ${OWN}/24 dev eth0
      link set eth0 up
      route add 10.244.0.0/16 via ${MEMBER}`);
    for (const address of [MEMBER, STRANGER]) ip(`-n ${OTHER} addr add ${address}/24 dev eth0`);
    ip(`-n ${OTHER} link set eth0 up`);
    run("ipvsadm", "-A", "-f", "77", "-s", "rr");
    found = daemons() + sysctls();
    kernel = openForwardingKernel({ sysctlRoot: "/proc/sys" });
    forwarding = new Forwarding(kernel, { clock });
  });
  after(() => {
    kernel?.close();
    ip(`netns del ${OTHER}`);
  });

  test("both run on the link, a second pass writes nothing, another process finds them", async () => {
    await forwarding.reconcile(sharing());
    for (const role of ["master", "backup"])
      assert.match(daemons(), new RegExp(`^${role} sync daemon .*mcast=eth0, syncid=${SYNC_ID}`, "m"));
    const { writes, syncTrouble } = await forwarding.reconcile(sharing());
    assert.deepEqual([writes, syncTrouble], [0, undefined]);
    const opened = openForwardingKernel({ sysctlRoot: "/proc/sys" });
    using other = { ...opened, [Symbol.dispose]: () => opened.close() };
    const { changes } = await new Forwarding(other, { clock }).reconcile(sharing());
    assert.deepEqual(
      changes.map(({ kind }) => kind),
      ["ruleset"],
    );
  });

  for (const [tier, clientPort] of [
    [1, 1001],
    [2, 1002],
  ] as const) {
    test(`what a member tells of tier ${tier} finds the pod in this node's own list`, async () => {
      tell(MEMBER, { mark: mark(tier), clientPort });
      await until("the connection", () => entries().includes(`172.16.0.1:${clientPort} `));
      // Bound: it is counted at the pod that is reached by a tunnel here, though it was masqueraded there.
      const counted = run("ipvsadm", "-Ln", "-f", String(mark(tier)));
      assert.match(counted, new RegExp(`${POD}:8080 +Tunnel +${tier === 1 ? 1 : 0} +(1 +0|0 +1)`), counted);
    });
  }

  test("what a stranger tells is dropped and counted", async () => {
    const before = forwarding.counts().turnedAway.sync_source ?? 0;
    tell(STRANGER, { mark: mark(1), clientPort: 1003 });
    await until("the count", () => forwarding.counts().turnedAway.sync_source === before + 1);
    tell(MEMBER, { mark: mark(1), clientPort: 1004 });
    await until("what came after it", () => entries().includes("172.16.0.1:1004 "));
    assert.doesNotMatch(entries(), /172\.16\.0\.1:1003 /);
  });

  // docs/security.md: the kernel asks for no key, and takes a pod that it does not know as it is told.
  test("what does not hold: who sends by a member's address says where a client's packets go", async () => {
    tell(MEMBER, { mark: mark(1), clientPort: 1006, pod: "203.0.113.66" });
    await until("the connection", () => /172\.16\.0\.1:1006 .*203\.0\.113\.66:8080/.test(entries()));
  });

  test("who is heard is not silent; who is not, is said", async () => {
    const peers = [MEMBER, "192.168.50.13"].map((address, at) => ({ node: `n${at + 2}`, address }));
    const listening = sharing(peers);
    await forwarding.reconcile(listening);
    tell(MEMBER, { mark: mark(1), clientPort: 1005 });
    await until("the word", () => entries().includes("172.16.0.1:1005 "));
    await clock.advance(60_000);
    const { syncTrouble } = await forwarding.reconcile(listening);
    assert.equal(syncTrouble?.code, "SyncUnheard");
    assert.match(syncTrouble?.message ?? "", /^eth0 brings no shared connections of n3: /);
  });

  test("switched off, daemons end and settings are as before", async () => {
    const { sync: _, settings: __, ...off } = sharing();
    await forwarding.reconcile(off);
    assert.equal(daemons().trim(), "");
    assert.match(sysctls(), /sync_threshold:3\t50$/m);
    assert.equal((await forwarding.reconcile(off)).writes, 0);
  });

  test("a foreign daemon is left alone, and said", async () => {
    run("ipvsadm", "--start-daemon", "master", "--mcast-interface", "lo", "--syncid", "9");
    const foreign = daemons();
    const { syncTrouble } = await forwarding.reconcile(sharing());
    assert.equal(syncTrouble?.code, "ForeignSync");
    assert.match(daemons(), /backup sync daemon .*mcast=eth0/);
    await forwarding.remove();
    assert.equal(daemons(), foreign);
    run("ipvsadm", "--stop-daemon", "master");
  });

  test("a node that begins with nothing waits until it was told of all; one that forwarded before does not", async () => {
    const isGathering = async (input: ForwardingInput): Promise<boolean> => {
      const opened = openForwardingKernel({ sysctlRoot: "/proc/sys" });
      using other = { ...opened, [Symbol.dispose]: () => opened.close() };
      return (await new Forwarding(other, { clock }).reconcile(input)).isGathering === true;
    };
    assert.equal(await isGathering(sharing()), true);
    await forwarding.remove();
    const { sync: _, settings: __, ...off } = sharing();
    assert.equal(await isGathering(off), false);
    assert.equal(await isGathering(sharing()), false);
  });

  test("removal leaves what was found", async () => {
    await forwarding.reconcile(sharing());
    assert.notEqual(daemons(), "");
    await forwarding.remove();
    assert.equal(daemons() + sysctls(), found);
  });
}
