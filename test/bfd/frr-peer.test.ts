/** BFD with FRR's bfdd, in network namespaces: every kind of path, other intervals, echo, death, garbage, no real time. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { watchBars } from "#test/bar.ts";
import { output } from "#test/interop/process.ts";
import { run } from "#test/network/namespace.ts";
import { Topology } from "#test/network/routers.ts";
import { until } from "#test/until.ts";
import { Device, monotonicMs, tookSince } from "./bfd-device.ts";
import { fallsInTime } from "./death.ts";
import { dropped } from "./kernel-drops.ts";
import { addPaths, bfdPeer, type Path } from "./paths.ts";
import { FrrBfd, type FrrPeer } from "./peers.ts";

const INTERVAL_MS = 50;
let topology: Topology;
let paths: Readonly<Record<string, Path>>;
let frr: FrrBfd;
let device: Device;

const pathOf = (key: string): Path => {
  const path = paths[key];
  assert.ok(path, key);
  return path;
};
const frrPeer = ({ device: address, peer, isMultihop, link }: Path): FrrPeer => ({
  address,
  localAddress: peer,
  isMultihop,
  intervalMs: INTERVAL_MS,
  ...(link === undefined ? (isMultihop || !address.includes(":") ? {} : { link: "eth0" }) : { link }),
});
const wanted = () => Object.values(paths).map((path) => bfdPeer(path));

async function statusOf(path: Path): Promise<string | undefined> {
  return (await frr.sessions()).find(({ peer }) => peer === path.device)?.status;
}

async function downs(): Promise<number> {
  return (await frr.counters()).reduce((sum, counters) => sum + counters["session-down"], 0);
}

before(async () => {
  topology = new Topology("gkbfd");
  paths = await addPaths(topology, "frr");
  frr = new FrrBfd(topology.namespaceOf("frr"), Object.values(paths).map(frrPeer));
  await frr.start();
  device = new Device({ namespace: topology.device });
});
after(async () => {
  await device?.stop();
  await frr?.stop();
  topology?.[Symbol.dispose]();
});

test("IPv4, IPv6, link-local and both over a router come up, with what each side asked for", async () => {
  assert.deepEqual(Object.keys(paths).sort(), [
    "linkLocal",
    "multiIPv4",
    "multiIPv6",
    "singleIPv4",
    "singleIPv6",
  ]);
  device.reconcile(wanted());
  await device.reach(Object.keys(paths), "Up");
  for (const path of Object.values(paths)) {
    await until(`${path.key} up at FRR`, async () => (await statusOf(path)) === "up");
    await until(`${path.key} with its timers`, async () => {
      const report = await device.report(path.key);
      return report?.detectionTimeMs === 3 * INTERVAL_MS && report.transmitIntervalMs === INTERVAL_MS;
    });
  }
  await until("FRR to have heard what was asked for", async () => {
    for (const session of await frr.sessions()) {
      assert.equal(session["remote-transmit-interval"], INTERVAL_MS, session.peer);
      assert.equal(session["remote-receive-interval"], INTERVAL_MS, session.peer);
      assert.equal(session["remote-detect-multiplier"], 3, session.peer);
    }
    return true;
  });
  assert.equal((await device.sessions()).scheduling.class, "fifo");
});

test("other intervals on either side are negotiated by a poll, and nothing flaps", async () => {
  const before = [device.changes.length, await downs()];
  const path = pathOf("singleIPv4");
  device.reconcile(
    wanted().map((peer) => bfdPeer(pathOf(peer.key), { transmitIntervalMs: 200, receiveIntervalMs: 120 })),
  );
  await until("FRR's view of the new intervals", async () =>
    (await frr.sessions()).every(
      (session) => session["remote-transmit-interval"] === 200 && session["remote-receive-interval"] === 120,
    ),
  );
  await until("the slower detection", async () => (await device.report(path.key))?.detectionTimeMs === 360);
  await frr.shell(
    "configure",
    "bfd",
    `peer ${path.device} local-address ${path.peer}`,
    "transmit-interval 400",
  );
  await until("FRR's own change", async () => (await device.report(path.key))?.detectionTimeMs === 1_200);
  await frr.shell(
    "configure",
    "bfd",
    `peer ${path.device} local-address ${path.peer}`,
    `transmit-interval ${INTERVAL_MS}`,
  );
  device.reconcile(wanted());
  await until("the old intervals", async () => (await device.report(path.key))?.detectionTimeMs === 150);
  assert.deepEqual([device.changes.length, await downs()], before);
});

test("a packet that crossed a router does not reach the session; the same from one hop away does (RFC 5881 section 5)", async () => {
  const path = pathOf("singleIPv4");
  // "Down", as a peer would say that begins anew.
  const packet = "20400318000000070000000000 0f4240000f424000000000".replaceAll(" ", "");
  const send = (hops: number): Promise<string> => {
    const script = `const s=require("dgram").createSocket("udp4");s.bind(0,"${path.peer}",()=>{s.setTTL(${hops});s.send(Buffer.from("${packet}","hex"),3784,"${path.device}",()=>s.close())})`;
    return output(topology.namespaceOf("frr"), process.execPath, "-e", script);
  };
  const before = device.changes.length;
  const droppedBefore = await dropped(topology.device);
  await send(254);
  await until("the dropped packet", async () => (await dropped(topology.device)) > droppedBefore);
  assert.equal(device.changes.length, before);
  await send(255);
  await until("the session's fall", () => device.changes.slice(before).some(({ state }) => state !== "Up"));
  await device.reach([path.key], "Up");
});

test("garbage and floods to both ports take no session down, and wake nobody (RFC 5880 section 6.8.6)", async () => {
  const before = [device.changes.length, await downs()];
  const path = pathOf("singleIPv4");
  const droppedBefore = await dropped(topology.device);
  const { discards: discardsBefore } = await device.sessions();
  const script = `const s=require("dgram").createSocket("udp4");const {randomBytes}=require("crypto");
    s.bind(0,()=>{s.setTTL(255);let n=0;const go=()=>{for(let i=0;i<50;i++,n++){const b=randomBytes(1+n%60);if(n%2)b[0]=0x20;s.send(b,n%3?3784:4784,"${path.device}")}n<20000?setImmediate(go):setTimeout(()=>s.close(),200)};go()})`;
  await output(topology.namespaceOf("frr"), process.execPath, "-e", script);
  await until(
    "the count of dropped packets",
    async () => (await dropped(topology.device)) > droppedBefore + 5_000,
  );
  // Nothing of it has woken the thread.
  assert.deepEqual((await device.sessions()).discards, discardsBefore);
  assert.deepEqual([device.changes.length, await downs()], before);
});

test("the peer dies without a word: down within 200 ms", async () => {
  await fallsInTime(device, Object.keys(paths).length, () => frr.kill());
  await frr.start();
  await device.reach(Object.keys(paths), "Up");
});

test("a session that is taken away says AdminDown; one that comes back comes up; the others stay", async () => {
  const path = pathOf("multiIPv4");
  const others = Object.keys(paths).filter((key) => key !== path.key);
  const before = device.changes.filter(({ key }) => others.includes(key)).length;
  await until("FRR's own state", async () => (await statusOf(path)) === "up");
  device.reconcile(wanted().filter(({ key }) => key !== path.key));
  await until("FRR's fall", async () => (await statusOf(path)) === "down");
  const session = (await frr.sessions()).find(({ peer }) => peer === path.device);
  assert.match(String(session?.["remote-diagnostic"]), /administrative/i);
  device.reconcile(wanted());
  await device.reach([path.key], "Up");
  assert.equal(device.changes.filter(({ key }) => others.includes(key)).length, before);
});

test("minimum TTL: a multihop peer that is further away is not heard", async () => {
  const path = pathOf("multiIPv4");
  const others = wanted().filter(({ key }) => key !== path.key);
  device.reconcile([...others, bfdPeer(path, { minimumTtl: 255 })]);
  await device.reach([path.key], "Down");
  // One router lies between: 254 are left.
  device.reconcile([...others, bfdPeer(path, { minimumTtl: 254 })]);
  await device.reach([path.key], "Up");
});

test("passive: silent until the peer speaks", async () => {
  const path = pathOf("singleIPv6");
  device.reconcile([]);
  await frr.kill();
  // What goes away says so for a moment.
  await until(
    "no more words of the old session",
    async () => (await device.sessions()).sessions.length === 0,
  );
  const reconciledAt = monotonicMs();
  device.reconcile([bfdPeer(path, { passive: true })]);
  await until("a report", async () => device.report(path.key));
  // More than two intervals of a session that begins.
  await until("time enough", () => monotonicMs() - reconciledAt > 2_500);
  assert.equal((await device.report(path.key))?.packetsOut, 0);
  await frr.start();
  await device.reach([path.key], "Up");
});

test("echo both ways; when the peer loops nothing any more, the session falls for that reason", async () => {
  const path = pathOf("singleIPv4");
  for (const namespace of [topology.device, topology.namespaceOf("frr")]) setForwarding(namespace, 1);
  await frr.shell("configure", "bfd", `peer ${path.device} local-address ${path.peer}`, "echo-mode");
  device.reconcile([bfdPeer(path, { echoMode: true })]);
  await until("echoes", async () => (await device.report(path.key))?.isEchoing);
  await until("FRR's echoes", async () => {
    const counters = (await frr.counters()).find(({ peer }) => peer === path.device);
    return (counters?.["echo-packet-input"] ?? 0) > 20;
  });
  // Control packets have slowed down, so their own detection takes seconds now.
  await until(
    "slow control packets",
    async () => ((await device.report(path.key))?.detectionTimeMs ?? 0) >= 3_000,
  );
  const before = device.changes.length;
  const bars = await watchBars();
  const cutAt = Date.now();
  setForwarding(topology.namespaceOf("frr"), 0);
  await until("the fall", () => device.changes.slice(before).find(({ state }) => state === "Down"));
  const fall = device.changes.slice(before).find(({ state }) => state === "Down");
  assert.equal(fall?.diagnostic, "EchoFailed");
  await bars.hold("the fall", tookSince(cutAt, fall), 400);
});

function setForwarding(namespace: string, value: 0 | 1): void {
  run("ip", "netns", "exec", namespace, "sysctl", "-qw", `net.ipv4.ip_forward=${value}`);
}

test("a planned stop: FRR hears AdminDown before the thread ends", async () => {
  const path = pathOf("linkLocal");
  device.reconcile([bfdPeer(path)]);
  await device.reach([path.key], "Up");
  await until("FRR's own state", async () => (await statusOf(path)) === "up");
  await device.adminDown();
  await until("FRR to have heard it", async () => {
    const session = (await frr.sessions()).find(({ peer }) => peer === path.device);
    assert.equal(session?.status, "down");
    assert.match(String(session?.["remote-diagnostic"]), /administrative/i);
    return true;
  });
  await device.stop();
});

test("without the right to real-time scheduling: said, raised to 350 ms x 3, and detection holds that", async () => {
  const path = pathOf("singleIPv4");
  const poor = new Device({
    namespace: topology.device,
    wrapper: ["setpriv", "--bounding-set", "-sys_nice", "--inh-caps", "-sys_nice"],
  });
  try {
    poor.reconcile([bfdPeer(path)]);
    await poor.reach([path.key], "Up");
    const { scheduling } = await poor.sessions();
    assert.equal(scheduling.class, "normal");
    assert.match(JSON.stringify(scheduling), /EPERM/);
    const report = await until("350 ms x 3", async () => {
      const current = await poor.report(path.key);
      return current?.detectionTimeMs === 1_050 && current.transmitIntervalMs === 350 ? current : undefined;
    });
    assert.match(report.problem ?? "", /raised: 50 ms x 3/);
    const bars = await watchBars();
    const killedAt = Date.now();
    await frr.kill();
    await until("the fall", () => poor.changes.at(-1)?.state === "Down");
    const took = tookSince(killedAt, poor.changes.at(-1));
    assert.ok(took > 600, `${took.toFixed(0)} ms`);
    await bars.hold("the fall", took, 1_400);
  } finally {
    await poor.stop();
  }
});
