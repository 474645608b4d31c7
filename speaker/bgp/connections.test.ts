/** Connections that are not what they seem: left behind by a crash, or never read. Real TCP on loopback. */
import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { afterEach, describe, test } from "node:test";
import { systemClock } from "#common/clock.ts";
import { silentLogger } from "#common/log.ts";
import { systemRandom } from "#common/random.ts";
import { KEEPALIVE, OPEN, open, plainTransport, SETTINGS, socketPair } from "#test/fakes/bgp-peer.ts";
import { FakeClock } from "#test/fakes/clock.ts";
import { until } from "#test/until.ts";
import { createBgp } from "./bgp.ts";
import { Connection } from "./connection.ts";
import { Session } from "./session.ts";
import type { Transport } from "./transport.ts";
import type { PeerSettings } from "./types.ts";
import { MessageSplitter, MessageType } from "./wire/header.ts";

const cleanUp: (() => unknown)[] = [];
afterEach(() => {
  for (const clean of cleanUp.splice(0).reverse()) clean();
});

/** Both ends of a connection. */
async function pair(): Promise<{ ours: Socket; theirs: Socket }> {
  const { close, ...ends } = await socketPair();
  cleanUp.push(close);
  return ends;
}

const waitingTransport: Transport = {
  ...plainTransport,
  connect: () => Promise.reject(new Error("the peer connects to us")),
};

/** It waits for the peer to connect. */
function waitingSession(settings: PeerSettings): Session {
  const session = new Session({
    settings,
    clock: systemClock,
    random: systemRandom,
    log: silentLogger,
    transport: waitingTransport,
    addressOn: () => undefined,
    isRestarting: false,
    onChange() {},
  });
  cleanUp.push(() => session.stop(2, "the test is over"));
  return session;
}

const NO_EVENTS = { onMessage() {}, onBroken() {}, onClosed() {}, onDrain() {}, onEnding() {} };

test("a peer that does not read holds up nobody who leaves", async () => {
  const { ours, theirs } = await pair();
  theirs.pause();
  const clock = new FakeClock();
  const connection = new Connection(ours, clock, NO_EVENTS, () => 0);
  assert.equal(await connection.flushed(), true, "nothing was sent");
  const part = Buffer.alloc(1_000);
  while (ours.writableLength === 0) connection.send(part);
  const end = connection.flushed();
  await clock.advance(1_000);
  assert.equal(await end, false);
});

test("what little waits is waited for: there is no drain after it", async () => {
  const { ours, theirs } = await pair();
  theirs.pause();
  const connection = new Connection(ours, new FakeClock(), NO_EVENTS, () => 0);
  const part = Buffer.alloc(1_000);
  while (ours.writableLength === 0) connection.send(part);
  assert.ok(ours.writableLength < ours.writableHighWaterMark);
  const end = connection.flushed();
  theirs.resume();
  assert.equal(await end, true);
});

test("a peer is known by its address, however that is written", async () => {
  const events: Parameters<Transport["listen"]>[2][] = [];
  const transport: Transport = {
    ...waitingTransport,
    listen(_family, port, listening) {
      events.push(listening);
      return { port, sign() {}, close() {} };
    },
  };
  const bgp = createBgp({ clock: systemClock, transport, listenPort: 0 });
  cleanUp.push(() => bgp.stop({ mode: "restart" }));
  const known = { ...SETTINGS, address: "FD00::0001" };
  bgp.reconcile(new Map([["peer", { settings: known, advertisements: [] }]]));
  const [stranger, peer] = [await pair(), await pair()];
  events[0]?.onConnection({ socket: stranger.ours, address: "fd00::2", port: 1 });
  assert.equal(stranger.ours.destroyed, true);
  events[0]?.onConnection({ socket: peer.ours, address: "fd00::1", port: 1 });
  assert.equal(peer.ours.destroyed, false);
  assert.equal(bgp.sessions()[0]?.state, "Active");
});

test("an unnumbered peer that connects before the kernel knows it for a router is known by its connection", async () => {
  const { address: _address, ...settings } = SETTINGS;
  const session = waitingSession({ ...settings, link: "eth0" });
  assert.equal(session.report().address, "");
  const { ours } = await pair();
  session.accept(ours);
  assert.equal(session.report().address, "127.0.0.1");
});

test("a connection that a crash of the peer has left does not keep its next one out", async () => {
  const session = waitingSession(SETTINGS);
  const dead = await pair();
  session.accept(dead.ours);
  assert.equal(session.state, "Active");
  const next = await pair();
  const types: number[] = [];
  const splitter = new MessageSplitter();
  next.theirs.on("data", (chunk: Buffer) => {
    for (const { type } of splitter.push(chunk)) types.push(type);
  });
  session.accept(next.ours);
  next.theirs.write(Buffer.concat([open(), KEEPALIVE]));
  await until("the second connection to be the session's", () => session.state === "Established");
  assert.equal(types.includes(MessageType.notification), false);
});

test("what a peer goes on sending after our last word is thrown away, and not put together (RFC 4271 section 6)", async () => {
  const { ours, theirs } = await pair();
  let heard = 0;
  const connection = new Connection(
    ours,
    new FakeClock(),
    { ...NO_EVENTS, onMessage: () => (heard += 1) },
    () => 0,
  );
  theirs.write(KEEPALIVE);
  await until("the first message", () => heard === 1);
  connection.close();
  const before = process.memoryUsage().arrayBuffers;
  const part = Buffer.alloc(64 * 1_024, KEEPALIVE);
  let sent = 0;
  let most = 0;
  // Each round the peer sends a megabyte, and has it taken.
  for (let round = 0; round < 16; round += 1) {
    for (let at = 0; at < 16; at += 1) theirs.write(part);
    sent += 16 * part.length;
    await until("it to be taken", () => theirs.writableLength === 0);
    most = Math.max(most, process.memoryUsage().arrayBuffers - before);
  }
  assert.equal(heard, 1);
  assert.ok(most < sent / 2, `${most} of ${sent} bytes are kept`);
});

describe("a session with graceful restart that somebody connects beside (RFC 4724 section 5)", () => {
  const restart = { isRestarting: false, coversNotifications: false, timeSeconds: 60, families: [] };
  const able = () => open({ capabilities: { ...OPEN.capabilities, gracefulRestart: restart } });

  async function established(): Promise<{ session: Session; theirs: Socket }> {
    const session = waitingSession({ ...SETTINGS, gracefulRestart: true });
    const { ours, theirs } = await pair();
    theirs.on("data", () => {});
    session.accept(ours);
    theirs.write(Buffer.concat([able(), KEEPALIVE]));
    await until("the session", () => session.state === "Established");
    return { session, theirs };
  }

  test("a probe of the port costs nothing, and leaves no error", async () => {
    const { session } = await established();
    for (const says of [Buffer.alloc(0), Buffer.from("GET / HTTP/1.1\r\n\r\n".repeat(2))]) {
      const probe = await pair();
      session.accept(probe.ours);
      const closed = new Promise((resolve) => probe.ours.once("close", resolve));
      probe.theirs.end(says);
      probe.theirs.resume();
      await closed;
      const { state, losses, lastError } = session.report();
      assert.deepEqual([state, losses, lastError], ["Established", 0, undefined]);
    }
  });

  test("a probe that stays does not keep out a peer that has restarted, whose OPEN takes the session over", async () => {
    const { session, theirs: before } = await established();
    const probe = await pair();
    session.accept(probe.ours);
    const { ours, theirs } = await pair();
    theirs.on("data", () => {});
    session.accept(ours);
    theirs.write(Buffer.concat([able(), KEEPALIVE]));
    await until("the session to be the new connection's", () => {
      const { state, losses } = session.report();
      return state === "Established" && losses === 1;
    });
    assert.equal(session.report().lastError, "the peer connected anew");
    await until("the old connection's end", () => before.readableEnded);
  });
});
