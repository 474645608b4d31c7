/** BGPPeers that name a prefix: routers connect, each has a session, and no more of them than may be. */
import assert from "node:assert/strict";
import { once } from "node:events";
import type { Socket } from "node:net";
import { afterEach, describe, test } from "node:test";
import { systemClock } from "#common/clock.ts";
import { freePorts } from "#hack/common/ports.ts";
import { connectTcp } from "#speaker/native/tcp.ts";
import { KEEPALIVE, open, plainTransport, SETTINGS, socketPair } from "#test/fakes/bgp-peer.ts";
import { FakeClock } from "#test/fakes/clock.ts";
import { until } from "#test/until.ts";
import { Password } from "../known/password.ts";
import { type Bgp, type BgpOptions, createBgp } from "./bgp.ts";
import { Members, rangeOf } from "./members.ts";
import type { PeerSettings, WantedSession } from "./types.ts";

const cleanUp: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanUp.splice(0).reverse()) await clean();
});

const GREETING = Buffer.concat([open(), KEEPALIVE]);
const { address: _, ...REST } = SETTINGS;
const ranged = (more: Partial<PeerSettings> = {}): WantedSession => ({
  settings: { ...REST, name: "fabric", range: "127.0.0.0/24", maximumSessions: 2, ...more },
  advertisements: [],
});

async function speaker(wanted: WantedSession): Promise<{ bgp: Bgp; port: number }> {
  const [port = 0] = await freePorts(1);
  const bgp = createBgp({ clock: systemClock, listenPort: port });
  cleanUp.push(() => bgp.stop({ mode: "restart" }));
  bgp.reconcile(new Map([[wanted.settings.name, wanted]]));
  return { bgp, port };
}

async function router(port: number, sourceAddress: string, password?: string): Promise<Socket> {
  const socket = await connectTcp({
    ...{ family: "IPv4", address: "127.0.0.1", port, sourceAddress, timeoutMs: 1_500 },
    ...(password !== undefined && { key: { password: new Password(password) } }),
  });
  socket.on("error", () => {});
  cleanUp.push(() => socket.destroy());
  return socket;
}

const states = (bgp: Bgp): string[] =>
  bgp
    .sessions()
    .map(({ address, state }) => `${address} ${state}`)
    .sort();

test("nobody has connected: one line says so, and who is waited for", async () => {
  const { bgp } = await speaker(ranged());
  const [{ peer, state, lastError } = {}, ...more] = bgp.sessions();
  assert.deepEqual([peer, state, more], ["fabric", "Active", []]);
  assert.match(lastError ?? "", /no router of 127\.0\.0\.0\/24 has a session/);
});

test("each router that connects has a session; where all are taken the next one is refused, and status says so", async () => {
  const { bgp, port } = await speaker(ranged());
  const sockets: Socket[] = [];
  for (const address of ["127.0.0.2", "127.0.0.3"]) {
    const socket = await router(port, address);
    socket.write(GREETING);
    sockets.push(socket);
    await until(`the session of ${address}`, () => states(bgp).includes(`${address} Established`));
  }
  const third = await router(port, "127.0.0.4");
  third.resume();
  await once(third, "close");
  assert.deepEqual(states(bgp), ["127.0.0.2 Established", "127.0.0.3 Established"]);
  assert.match(bgp.sessions()[0]?.warning ?? "", /127\.0\.0\.4 was refused: spec\.maximumSessions is 2/);
  // The place of one that is gone is for whoever comes next.
  sockets[0]?.destroy();
  await until("the loss", () => !states(bgp).includes("127.0.0.2 Established"));
  (await router(port, "127.0.0.4")).write(GREETING);
  await until("the third one", () => states(bgp).includes("127.0.0.4 Established"));
  assert.deepEqual(states(bgp), ["127.0.0.3 Established", "127.0.0.4 Established"]);
});

test("a probe of the port leaves nothing behind, and who is outside of the range gets nothing", async () => {
  const { bgp, port } = await speaker(ranged({ range: "127.0.0.2/31" }));
  const stranger = await router(port, "127.0.0.9");
  stranger.resume();
  await once(stranger, "close");
  assert.deepEqual(states(bgp), [" Active"]);
  const probe = await router(port, "127.0.0.3");
  await until("the probe", () => states(bgp).some((line) => line.startsWith("127.0.0.3")));
  probe.destroy();
  await until("nobody", () => states(bgp).join() === " Active");
});

test("a password is for all addresses of the range (TCP_MD5SIG_EXT), and a connection without it comes to nothing", async () => {
  const { bgp, port } = await speaker(ranged({ password: new Password("entrance") }));
  await assert.rejects(router(port, "127.0.0.2"), { code: "ETIMEDOUT" });
  await assert.rejects(router(port, "127.0.0.2", "exit"), { code: "ETIMEDOUT" });
  for (const address of ["127.0.0.2", "127.0.0.3"]) {
    (await router(port, address, "entrance")).write(GREETING);
    await until(`the session of ${address}`, () => states(bgp).includes(`${address} Established`));
  }
});

/** A speaker whose peers are handed to it, on a clock of the test. */
function handed(options: Partial<BgpOptions> = {}) {
  const clock = new FakeClock();
  const listening: (string | undefined)[] = [];
  let connect: (socket: Socket, address: string) => void = () => {};
  const bgp = createBgp({
    ...{ clock, listenPort: 179 },
    transport: {
      ...plainTransport,
      connect: (_settings, _address, signal) =>
        new Promise((_resolve, reject) =>
          signal.addEventListener("abort", () => reject(new Error("given up"))),
        ),
      listen(_family, port, { onConnection }, vrf) {
        listening.push(vrf);
        connect = (socket, address) => onConnection({ socket, address, port: 1 });
        return { port, sign() {}, close() {} };
      },
    },
    ...options,
  });
  return { bgp, clock, listening, connect: (socket: Socket, address: string) => connect(socket, address) };
}

test("a router that has said something and gone is forgotten after five minutes", async () => {
  const { bgp, clock, connect } = handed();
  bgp.reconcile(new Map([["fabric", ranged()]]));
  const { ours, theirs, close } = await socketPair();
  cleanUp.push(close);
  connect(ours, "127.0.0.2");
  theirs.write(GREETING);
  await until("the session", () => states(bgp).includes("127.0.0.2 Established"));
  theirs.destroy();
  await until("the loss", () => bgp.sessions()[0]?.losses === 1);
  await clock.advance(299_000);
  assert.equal(bgp.sessions()[0]?.address, "127.0.0.2");
  await clock.advance(2_000);
  assert.deepEqual(states(bgp), [" Active"]);
});

test("however many addresses of the range connect, no more is kept than there are places", async () => {
  const { bgp, clock, connect } = handed();
  bgp.reconcile(new Map([["fabric", ranged({ maximumSessions: 3 })]]));
  for (let at = 1; at <= 40; at += 1) {
    const { ours, close } = await socketPair();
    cleanUp.push(close);
    connect(ours, `127.0.0.${at}`);
  }
  assert.equal(bgp.sessions().length, 3);
  // One timer to forget it, and those of its session: none of somebody whose place was given away.
  const timers = clock.pending;
  for (let at = 41; at <= 80; at += 1) {
    const { ours, close } = await socketPair();
    cleanUp.push(close);
    connect(ours, `127.0.0.${at}`);
  }
  assert.equal(clock.pending, timers);
});

test("connections of a VRF are for its peers alone, and for no others", async () => {
  const { bgp, listening, connect } = handed();
  const { range: _range, ...settings } = ranged().settings;
  const inVrf = {
    settings: { ...settings, name: "red", address: "127.0.0.2", vrf: "red" },
    advertisements: [],
  };
  bgp.reconcile(new Map([["red", inVrf]]));
  assert.deepEqual(listening, ["red"]);
  const { ours, close } = await socketPair();
  cleanUp.push(close);
  connect(ours, "127.0.0.2");
  assert.equal(ours.destroyed, false);
  bgp.reconcile(
    new Map([["red", { ...inVrf, settings: { ...settings, name: "red", address: "127.0.0.2" } }]]),
  );
  assert.deepEqual(listening, ["red", undefined]);
});

describe("the default gateway", () => {
  test("is called where it is, and elsewhere when the route has changed", async () => {
    const called: string[] = [];
    let gateway: { address: string; link?: string } | undefined;
    const { bgp } = handed({
      gatewayOf: () => gateway,
      transport: {
        ...plainTransport,
        connect: ({ link }, address, signal) => {
          called.push(`${address}%${link}`);
          return new Promise((_resolve, reject) =>
            signal.addEventListener("abort", () => reject(new Error("given up"))),
          );
        },
      },
    });
    const { range: _range, ...settings } = ranged().settings;
    const wanted = { settings: { ...settings, name: "gw", gateway: "IPv4" as const }, advertisements: [] };
    bgp.reconcile(new Map([["gw", wanted]]));
    await until("words", () => bgp.sessions()[0]?.lastError === "this node has no default route of IPv4");
    gateway = { address: "127.0.0.5" };
    bgp.relocate();
    gateway = { address: "fe80::1", link: "eth0" };
    bgp.relocate();
    bgp.relocate();
    assert.deepEqual(called, ["127.0.0.5%undefined", "fe80::1%eth0"]);
    assert.deepEqual(
      bgp.sessions().map(({ address, link }) => [address, link]),
      [["fe80::1", "eth0"]],
    );
    await bgp.stop({ mode: "leave" });
  });
});

test("of several ranges the longest prefix counts, in its VRF alone", () => {
  const wanted = new Map([
    ["all", ranged({ name: "all", range: "10.0.0.0/8" })],
    ["some", ranged({ name: "some", range: "10.1.0.0/16" })],
    ["red", ranged({ name: "red", range: "10.1.1.0/24", vrf: "red" })],
  ]);
  const cases: readonly [address: string, vrf: string | undefined, name: string | undefined][] = [
    ["10.2.0.1", undefined, "all"],
    ["10.1.1.1", undefined, "some"],
    ["10.1.1.1", "red", "red"],
    ["10.2.0.1", "red", undefined],
    ["fd00::1", undefined, undefined],
  ];
  for (const [address, vrf, name] of cases)
    assert.equal(rangeOf(wanted, address, vrf)?.settings.name, name, address);
});

test("a range that is wanted no more, or is another one, takes its members along", () => {
  const members = new Members();
  const wanted = ranged({ range: "10.0.0.0/24" });
  members.add("fabric", wanted, "10.0.0.1", () => false);
  members.keep(new Map([["fabric", wanted]]));
  assert.equal(members.sessions("fabric", wanted).length, 1);
  members.keep(new Map([["fabric", ranged({ range: "10.0.1.0/24" })]]));
  assert.equal(members.sessions("fabric", wanted).length, 0);
});
