/** What time does to a session: silence, a peer that takes nothing, who speaks first. Real TCP, time of the test's own. */
import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { afterEach, describe, test } from "node:test";
import { silentLogger } from "#common/log.ts";
import type { Random } from "#common/random.ts";
import { connectTcp, listenTcp } from "#speaker/native/tcp.ts";
import { Ear, KEEPALIVE, open, plainTransport, SETTINGS, socketPair } from "#test/fakes/bgp-peer.ts";
import { FakeClock } from "#test/fakes/clock.ts";
import { until } from "#test/until.ts";
import { ANSWER_MS } from "./conversation.ts";
import { Session } from "./session.ts";
import { type Transport, tcpTransport } from "./transport.ts";
import type { PeerSettings } from "./types.ts";
import { MessageType } from "./wire/header.ts";

const cleanUp: (() => unknown)[] = [];
afterEach(() => {
  for (const clean of cleanUp.splice(0).reverse()) clean();
});

/** The longest waits that jitter gives, so that a test knows when a timer is over. */
const late: Random = { number: () => 1 - Number.EPSILON, bytes: () => new Uint8Array(), uuid: () => "" };

interface World {
  readonly clock: FakeClock;
  readonly session: Session;
  readonly losses: () => number;
}

function world(settings: Partial<PeerSettings> = {}, transport: Partial<Transport> = {}): World {
  const clock = new FakeClock();
  const session = new Session({
    settings: { ...SETTINGS, ...settings },
    clock,
    random: late,
    log: silentLogger,
    transport: {
      ...plainTransport,
      // Nobody answers: the peer connects to us.
      connect: () => new Promise(() => {}),
      ...transport,
    },
    addressOn: () => undefined,
    isRestarting: false,
    onChange() {},
  });
  cleanUp.push(() => session.stop(2, "the test is over"));
  return { clock, session, losses: () => session.report().losses };
}

/** A connection that the peer made. */
async function connectedTo(session: Session): Promise<{ theirs: Socket; ear: Ear }> {
  const { ours, theirs, close } = await socketPair();
  cleanUp.push(close);
  const ear = new Ear(theirs);
  session.accept(ours);
  return { theirs, ear };
}

async function established(session: Session, holdTimeSeconds = 90): Promise<{ theirs: Socket; ear: Ear }> {
  const ends = await connectedTo(session);
  ends.theirs.write(Buffer.concat([open({ holdTimeSeconds }), KEEPALIVE]));
  await until("the session", () => session.state === "Established");
  return ends;
}

/** The peer goes on saying KEEPALIVE for so many seconds, each read before time goes on. */
async function stayAlive({ clock, session }: World, theirs: Socket, seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second += 10) {
    if (session.state !== "Established") return;
    const before = session.report().messagesIn;
    theirs.write(KEEPALIVE);
    await until("a KEEPALIVE", () => session.report().messagesIn > before, { everyMs: 1 });
    await clock.advance(10_000);
  }
}

describe("a peer that connects anew while there is a session", () => {
  test("has lost the old connection if it takes nothing there: the new one goes on", async () => {
    // As after a password that changed at both ends in one moment: the old end drops what has the new one.
    let isDead = false;
    const acknowledged: Transport["acknowledged"] = (socket) =>
      isDead ? 0 : tcpTransport.acknowledged(socket);
    const { clock, session, losses } = world({}, { acknowledged });
    await established(session);
    isDead = true;
    const { theirs } = await connectedTo(session);
    await clock.advance(ANSWER_MS - 1);
    assert.equal(losses(), 0);
    await clock.advance(1);
    assert.equal(losses(), 1);
    assert.match(session.report().lastError ?? "", /the peer connected anew and takes nothing here/);
    theirs.write(Buffer.concat([open({ holdTimeSeconds: 90 }), KEEPALIVE]));
    await until("the session on the new one", () => session.state === "Established");
  });

  test("keeps the old connection if it takes something there", async () => {
    const { clock, session, losses } = world();
    const { ear } = await established(session);
    const before = ear.count(MessageType.keepalive);
    await connectedTo(session);
    await until("the question", () => ear.count(MessageType.keepalive) > before);
    await clock.advance(2 * ANSWER_MS);
    assert.equal(session.state, "Established");
    assert.equal(losses(), 0);
  });
});

describe("a peer that says nothing", () => {
  test("is given up after the hold time, 3 s upward, with words for it", async () => {
    const { clock, session, losses } = world({ holdTimeMs: 3_000 });
    const { ear } = await established(session);
    assert.equal(session.report().holdTimeMs, 3_000);
    await clock.advance(2_900);
    assert.equal(session.state, "Established");
    await until("three KEEPALIVEs at a third of it", () => ear.count(MessageType.keepalive) >= 3);
    await clock.advance(300);
    assert.equal(session.state, "Idle");
    assert.equal(losses(), 1);
    assert.match(session.report().lastError ?? "", /^hold timer expired: the peer has said nothing$/);
    await until("the NOTIFICATION", () => ear.notification === "4/0");
  });

  test("is judged by what has come, though nobody had the time to read it", async () => {
    const { clock, session } = world({ holdTimeMs: 3_000 });
    const { theirs } = await established(session);
    const before = session.report().messagesIn;
    theirs.write(KEEPALIVE);
    // Time passes and no socket is read, as if the thread had stood still.
    clock.advanceSync(3_050);
    assert.equal(session.state, "Established");
    await until("it to be read", () => session.report().messagesIn > before);
    await clock.advance(2_900);
    assert.equal(session.state, "Established");
    await clock.advance(300);
    assert.equal(session.state, "Idle");
  });

  test("half a message is none", async () => {
    const { clock, session } = world();
    const { theirs, ear } = await established(session);
    theirs.write(KEEPALIVE.subarray(0, 10));
    await clock.advance(89_000);
    assert.equal(session.state, "Established");
    await clock.advance(1_200);
    assert.equal(session.state, "Idle");
    await until("the NOTIFICATION", () => ear.notification === "4/0");
  });

  test("not even an OPEN: given up after 4 minutes, and its place is free again", async () => {
    const { clock, session, losses } = world();
    const { ear } = await connectedTo(session);
    await clock.advance(1_000);
    assert.equal(session.state, "OpenSent");
    await clock.advance(240_100);
    assert.equal(session.report().lastError, "hold timer expired: the peer has said nothing");
    await until("the NOTIFICATION", () => ear.notification === "4/0");
    assert.equal(losses(), 0);
    await established(session);
  });

  test("beside a session that is up: it goes, and the next one gets in", async () => {
    const its = world();
    const { theirs } = await established(its.session);
    const { ear } = await connectedTo(its.session);
    await stayAlive(its, theirs, 250);
    await until("the silent one to be given up", () => ear.notification === "4/0");
    assert.equal(its.session.state, "Established");
    assert.equal(its.session.report().lastError, undefined);
    const next = await connectedTo(its.session);
    await its.clock.advance(1_000);
    await until("an OPEN on the next one", () => next.ear.count(MessageType.open) === 1);
  });
});

describe("a peer that takes nothing (RFC 9687)", () => {
  for (const [what, holdTimeSeconds, limitMs] of [
    ["8 minutes", 90, 480_000],
    ["twice the hold time where that is longer", 300, 600_000],
  ] as const) {
    test(`is given up after ${what}, however well it speaks`, async () => {
      let taken = 0;
      const its = world({ holdTimeMs: holdTimeSeconds * 1_000 }, { acknowledged: () => taken });
      const { theirs, ear } = await established(its.session, holdTimeSeconds);
      for (let minute = 0; minute < 12; minute += 1) {
        taken += 19;
        await stayAlive(its, theirs, 60);
      }
      assert.equal(its.session.state, "Established", "it takes what is sent");
      // What was taken last is noticed with the next KEEPALIVE of ours.
      const notice = (holdTimeSeconds * 1_000) / 3;
      await stayAlive(its, theirs, limitMs / 1_000 - 65);
      assert.equal(its.session.state, "Established");
      await stayAlive(its, theirs, 70 + notice / 1_000);
      assert.equal(its.session.state, "Idle");
      assert.equal(its.losses(), 1);
      assert.equal(its.session.report().lastError, "send hold timer expired: the peer has taken nothing");
      await until("the NOTIFICATION", () => ear.notification === "8/0");
    });
  }

  test("what waits for it is bounded, and let go with it; the kernel itself says what was taken", async () => {
    const { limitHops, acknowledged } = tcpTransport;
    const its = world({}, { limitHops, acknowledged });
    const listener = listenTcp({
      family: "IPv4",
      address: "127.0.0.1",
      port: 0,
      onConnection: ({ socket }) => its.session.accept(socket),
      onError: assert.fail,
    });
    cleanUp.push(() => listener.close());
    const { port } = listener;
    const theirs = await connectTcp({ family: "IPv4", address: "127.0.0.1", port, timeoutMs: 5_000 });
    cleanUp.push(() => theirs.destroy());
    theirs.on("error", () => {});
    theirs.write(Buffer.concat([open(), KEEPALIVE]));
    await until("the session", () => its.session.state === "Established");
    theirs.pause();
    const waiting: number[] = [];
    const areFull = (): boolean => waiting.filter((bytes) => bytes > 0).length > 5;
    for (let round = 1; round <= 60 && !areFull(); round += 1) {
      its.session.advertise(
        // Few prefixes with much to say: what is tried is a full buffer.
        Array.from({ length: 1_000 }, (_, at) => ({
          prefix: `10.0.${at >> 8}.${at & 255}/32`,
          communities: Array.from({ length: 60 }, (_each, number) => round * 100_000 + at * 60 + number),
          largeCommunities: [],
        })),
      );
      waiting.push(its.session.waiting);
    }
    assert.ok(Math.max(...waiting) > 0, "the peer's buffers are full");
    assert.ok(Math.max(...waiting) < 512 * 1024, `${Math.max(...waiting)} bytes wait`);
    await stayAlive(its, theirs, 600);
    assert.equal(its.session.state, "Idle");
    assert.match(its.session.report().lastError ?? "", /send hold timer expired/);
    assert.equal(its.session.waiting, 0);
  });

  test("runs only where hold timers run", async () => {
    const its = world({ holdTimeMs: 0 }, { acknowledged: () => 0 });
    await established(its.session, 0);
    await its.clock.advance(3_600_000);
    assert.equal(its.session.state, "Established");
  });
});

test("why a session was lost is said until it is back, whatever becomes of attempts meanwhile", async () => {
  const { clock, session } = world(
    { connectTimeMs: 1_000 },
    { connect: () => Promise.reject(new Error("nobody is there")) },
  );
  const lost = "hold timer expired: the peer has said nothing";
  await established(session);
  await clock.advance(90_200);
  assert.equal(session.report().lastError, lost);
  await clock.advance(10_000);
  assert.equal(session.report().lastError, `${lost}; since then: nobody is there`);
  const { theirs } = await established(session);
  theirs.end();
  await until("its end", () => session.state !== "Established");
  assert.equal(session.report().lastError, "the connection was closed by the peer");
});

test("BFD's word ends both of two connections: they go by one path", async () => {
  const { session, losses } = world();
  const first = await established(session);
  const second = await connectedTo(session);
  session.bfdDown();
  assert.equal(session.state, "Idle");
  assert.equal(losses(), 1);
  assert.equal(session.report().lastError, "cease (bfdDown): BFD says that the path is down");
  await until("the NOTIFICATION", () => first.ear.notification === "6/10");
  await until("the other's end", () => second.theirs.readableEnded);
});

test("the last words of a session with a near peer are sent for as many hops as there may be (RFC 5082)", async () => {
  const limits: string[] = [];
  const { session } = world({}, { limitHops: (_socket, { kind }) => void limits.push(kind) });
  const { ear } = await established(session);
  assert.deepEqual(limits, ["direct"]);
  session.stop(6, "the configuration was changed");
  await until("the NOTIFICATION", () => ear.notification === "6/6");
  assert.equal(limits[1], "multihop", "before the NOTIFICATION");
});

describe("who connected to us speaks first (DelayOpen)", () => {
  test("and is answered at once", async () => {
    const { session } = world();
    const { theirs, ear } = await connectedTo(session);
    assert.equal(session.state, "Active");
    theirs.write(open());
    await until("OPEN and KEEPALIVE", () => ear.count(MessageType.keepalive) === 1);
    assert.deepEqual(
      ear.heard.map(({ type }) => type),
      [MessageType.open, MessageType.keepalive],
    );
    theirs.write(KEEPALIVE);
    await until("the session", () => session.state === "Established");
  });

  test("who waits, too, is told our OPEN after a second", async () => {
    const { clock, session } = world();
    const { theirs, ear } = await connectedTo(session);
    await clock.advance(500);
    assert.equal(ear.heard.length, 0);
    await clock.advance(500);
    await until("our OPEN", () => ear.count(MessageType.open) === 1);
    theirs.write(Buffer.concat([open(), KEEPALIVE]));
    await until("the session", () => session.state === "Established");
  });

  test("a wrong AS is told nothing of us but that it is wrong", async () => {
    const { session } = world();
    const { theirs, ear } = await connectedTo(session);
    theirs.write(open({ asn: 65_002 }));
    await until("the NOTIFICATION", () => ear.notification === "2/2");
    assert.equal(ear.count(MessageType.open), 0);
    assert.match(session.report().lastError ?? "", /AS 65002 instead of 65001/);
  });

  test("a second connection meanwhile takes nothing from the first", async () => {
    const { session } = world();
    const first = await connectedTo(session);
    const second = await connectedTo(session);
    first.theirs.write(Buffer.concat([open(), KEEPALIVE]));
    await until("the session", () => session.state === "Established");
    await until("the other's end", () => second.ear.notification === "6/7");
    assert.equal(first.ear.notification, undefined);
  });

  test("one that ends before a word leaves its place to the next", async () => {
    const { session } = world();
    const first = await connectedTo(session);
    first.theirs.end();
    await until("its end", () => session.report().lastError !== undefined);
    await established(session);
  });
});

test("attempts come apart by chance, never later than asked for (RFC 4271 section 10)", async () => {
  for (const [number, expected] of [
    [0, 0.75],
    [1 - Number.EPSILON, 1],
  ] as const) {
    const clock = new FakeClock();
    const dialled: number[] = [];
    const session = new Session({
      settings: { ...SETTINGS, connectTimeMs: 60_000 },
      clock,
      random: { ...late, number: () => number },
      log: silentLogger,
      transport: {
        ...plainTransport,
        // Nobody answers: the time to connect again is the only thing that happens.
        connect: () => {
          dialled.push(clock.now());
          return new Promise(() => {});
        },
      },
      addressOn: () => undefined,
      isRestarting: false,
      onChange() {},
    });
    session.start();
    await clock.advance(200_000);
    const [first = 0, second = 0] = dialled;
    const share = (second - first) / 60_000;
    assert.ok(share >= 0.75 && share <= 1 && Math.abs(share - expected) < 0.02, `${share} of the time`);
    session.stop(2, "the test is over");
  }
});
