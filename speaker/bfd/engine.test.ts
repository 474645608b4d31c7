import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { End, join, peerOf } from "#test/fakes/bfd-pair.ts";
import { FakeClock } from "#test/fakes/clock.ts";
import { type ListenerKind, SESSIONS_MAX } from "./engine.ts";
import { decodeControl, emptyPacket } from "./packet.ts";
import { bytesOf, CAPTURED } from "./testdata/captured.ts";
import type { BfdPeer } from "./types.ts";

const A = "10.0.0.1";
const B = "10.0.0.2";

function pair(more: Partial<BfdPeer["profile"]> = {}, seed = 1) {
  const clock = new FakeClock();
  const a = new End({ clock, address: A, seed });
  const b = new End({ clock, address: B, seed: seed + 1 });
  const cable = join(a, b);
  a.engine.reconcile([peerOf(B, more)]);
  b.engine.reconcile([peerOf(A)]);
  return { clock, a, b, cable };
}
const statesOf = (end: End): string[] => end.changes.map(({ state }) => state);

test("two ends come up, settle on 50 ms by polls, and stay up", () => {
  const { clock, a, b } = pair();
  clock.advanceSync(10_000);
  for (const end of [a, b]) {
    assert.equal(end.changes.at(-1)?.state, "Up");
    const { detectionTimeMs, transmitIntervalMs, state } = end.report("peer");
    assert.deepEqual([state, detectionTimeMs, transmitIntervalMs], ["Up", 150, 50]);
  }
  const before = a.changes.length + b.changes.length;
  clock.advanceSync(600_000);
  assert.equal(a.changes.length + b.changes.length, before);
});

test("the date jumps to and fro by a day every second, and nobody notices", () => {
  class JumpingClock extends FakeClock {
    override date(): Date {
      const isAhead = Math.floor(this.now() / 1_000) % 2 === 0;
      return new Date(super.date().getTime() + (isAhead ? 1 : -1) * 86_400_000);
    }
  }
  const clock = new JumpingClock();
  const a = new End({ clock, address: A, seed: 1 });
  const b = new End({ clock, address: B, seed: 2 });
  join(a, b);
  a.engine.reconcile([peerOf(B)]);
  b.engine.reconcile([peerOf(A)]);
  clock.advanceSync(5_000);
  const before = [statesOf(a), statesOf(b)];
  clock.advanceSync(60_000);
  assert.deepEqual([statesOf(a), statesOf(b)], before);
  assert.equal(a.changes.at(-1)?.state, "Up");
});

test("packets leave after 75 to 100 % of the interval, and not in step", () => {
  const { clock, a } = pair();
  clock.advanceSync(5_000);
  const start = a.sent.length;
  clock.advanceSync(20_000);
  const times = a.sent.slice(start).map(({ at }) => at);
  const gaps = times.slice(1).map((at, index) => at - (times[index] ?? 0));
  assert.ok(
    Math.min(...gaps) >= 37.4 && Math.max(...gaps) <= 50.1,
    `${Math.min(...gaps)} to ${Math.max(...gaps)}`,
  );
  assert.ok(Math.max(...gaps) - Math.min(...gaps) > 10);
});

test("silence: down after the detection time, told once as a loss; up again when the cable is in", () => {
  const { clock, a, cable } = pair();
  clock.advanceSync(5_000);
  cable.isIn = false;
  const cutAt = clock.now();
  while (a.changes.at(-1)?.state === "Up") clock.advanceSync(1);
  const took = clock.now() - cutAt;
  assert.ok(took <= 152 && took >= 100, `${took} ms`);
  const { diagnostic, isLoss } = a.changes.at(-1) ?? {};
  assert.deepEqual([diagnostic, isLoss], ["DetectionTimeExpired", true]);
  clock.advanceSync(5_000);
  assert.equal(a.report("peer").losses, 1);
  cable.isIn = true;
  clock.advanceSync(5_000);
  assert.equal(a.changes.at(-1)?.state, "Up");
});

test("a link that loses its carrier is a loss, told each time, whenever it goes (RFC 5882 section 4.2)", () => {
  const clock = new FakeClock();
  const a = new End({ clock, address: A, seed: 1 });
  const b = new End({ clock, address: B, seed: 2 });
  const cable = join(a, b);
  a.connected.add(B);
  a.engine.reconcile([{ ...peerOf(B), multihop: "unlessConnected" }]);
  b.engine.reconcile([peerOf(A)]);
  for (let round = 1; round <= 12; round += 1) {
    // At another moment of the lookups that come every five seconds.
    clock.advanceSync(10_000 + round * 430);
    assert.equal(a.changes.at(-1)?.state, "Up");
    cable.isIn = false;
    a.connected.delete(B);
    // A pass of the speaker at the very moment gives the same list again.
    if (round % 2 === 0) a.engine.reconcile([{ ...peerOf(B), multihop: "unlessConnected" }]);
    clock.advanceSync(1_000);
    assert.equal(a.changes.filter(({ isLoss }) => isLoss).length, round);
    cable.isIn = true;
    a.connected.add(B);
  }
});

test("a thread that did not run looks into its socket before it judges", async () => {
  const { clock, a, cable } = pair();
  clock.advanceSync(5_000);
  a.isStalled = true;
  clock.advanceSync(140);
  const before = a.changes.length;
  // The detection time passes with packets waiting in the socket.
  clock.advanceSync(100);
  assert.equal(a.changes.length, before, "packets in the socket count");
  assert.equal(a.socket.length < 5, true);
  cable.isIn = false;
  a.socket.length = 0;
  clock.advanceSync(400);
  assert.equal(a.changes.at(-1)?.state, "Down", "an empty socket does not");
});

test("AdminDown: the peer goes down at once and knows that it is no loss", () => {
  const { clock, a, b } = pair();
  clock.advanceSync(5_000);
  let isDone = false;
  a.engine.adminDown(() => {
    isDone = true;
  });
  clock.advanceSync(3);
  const { state, remoteState, isLoss } = b.changes.at(-1) ?? {};
  assert.deepEqual([state, remoteState, isLoss], ["Down", "AdminDown", false]);
  clock.advanceSync(200);
  assert.ok(isDone);
  assert.equal(a.changes.at(-1)?.state, "AdminDown");
  assert.ok(a.changes.every((change) => !change.isLoss));
});

test("AdminDown is said several times: one packet may be lost", () => {
  const { clock, a, b, cable } = pair();
  clock.advanceSync(5_000);
  cable.isIn = false;
  a.engine.adminDown(() => {});
  clock.advanceSync(20);
  cable.isIn = true;
  clock.advanceSync(60);
  assert.deepEqual([b.changes.at(-1)?.remoteState, b.changes.at(-1)?.isLoss], ["AdminDown", false]);
});

test("other intervals on a living session: by a poll, without a flap", () => {
  const { clock, a, b } = pair();
  clock.advanceSync(5_000);
  const before = [statesOf(a).length, statesOf(b).length];
  for (const interval of [400, 20, 50]) {
    a.engine.reconcile([peerOf(B, { receiveIntervalMs: interval, transmitIntervalMs: interval })]);
    clock.advanceSync(5_000);
    const slower = Math.max(interval, 50);
    assert.equal(a.report("peer").detectionTimeMs, 3 * slower);
    assert.equal(b.report("peer").detectionTimeMs, 3 * slower);
    assert.equal(b.report("peer").transmitIntervalMs, slower);
  }
  assert.deepEqual([statesOf(a).length, statesOf(b).length], before);
});

test("sessions that stay are not disturbed by others that come and go; a removed one says AdminDown", () => {
  const { clock, a, b } = pair();
  clock.advanceSync(5_000);
  const other: BfdPeer = { ...peerOf("10.0.0.9"), key: "other" };
  const sent = a.sent.length;
  a.engine.reconcile([other, peerOf(B)]);
  a.engine.reconcile([peerOf(B)]);
  clock.advanceSync(5_000);
  assert.ok(a.sent.length > sent);
  assert.equal(statesOf(a).at(-1) === "AdminDown" || statesOf(a).at(-1) === "Up", true);
  assert.equal(b.report("peer").losses, 0);
  a.engine.reconcile([]);
  clock.advanceSync(5);
  assert.deepEqual([b.changes.at(-1)?.remoteState, b.changes.at(-1)?.isLoss], ["AdminDown", false]);
  assert.equal(a.listening.size, 0);
});

test("passive: silent until the peer speaks", () => {
  const clock = new FakeClock();
  const a = new End({ clock, address: A, seed: 1 });
  const b = new End({ clock, address: B, seed: 2 });
  join(a, b);
  a.engine.reconcile([peerOf(B, { passive: true })]);
  clock.advanceSync(10_000);
  assert.equal(a.sent.length, 0);
  b.engine.reconcile([peerOf(A)]);
  clock.advanceSync(5_000);
  assert.equal(a.changes.at(-1)?.state, "Up");
});

test("a packet that crossed a router, of a stranger, or of another session is none", () => {
  const { clock, a } = pair();
  clock.advanceSync(5_000);
  const up = bytesOf(CAPTURED.frrUp);
  a.arrive(up, B, { hops: 254 });
  a.arrive(up, B);
  a.arrive(bytesOf(CAPTURED.birdDown), "10.0.0.77");
  a.arrive(Buffer.from("nonsense"), B);
  clock.advanceSync(5_000);
  assert.deepEqual(a.discards, { Hops: 1, NoSession: 2, Short: 1 });
  assert.deepEqual(
    statesOf(a).filter((state) => state === "Down"),
    [],
  );
});

test("a peer that began anew is heard by its address", () => {
  const { clock, a, b } = pair();
  clock.advanceSync(5_000);
  b.engine.close();
  const again = new End({ clock, address: B, seed: 99 });
  join(a, again);
  again.engine.reconcile([peerOf(A)]);
  clock.advanceSync(5_000);
  assert.deepEqual([a.changes.at(-1)?.state, again.changes.at(-1)?.state], ["Up", "Up"]);
});

test("without real-time scheduling: 350 ms x 3 is used, or nothing, and the report says why", () => {
  const clock = new FakeClock();
  const scheduling = { class: "normal", reason: "EPERM" } as const;
  const a = new End({ clock, address: A, seed: 1, scheduling });
  const b = new End({ clock, address: B, seed: 2 });
  join(a, b);
  a.engine.reconcile([peerOf(B)]);
  b.engine.reconcile([peerOf(A)]);
  clock.advanceSync(10_000);
  assert.equal(a.report("peer").detectionTimeMs, 1_050);
  assert.equal(b.report("peer").detectionTimeMs, 1_050);
  assert.match(a.report("peer").problem ?? "", /raised/);
  const strict = new End({ clock, address: A, seed: 3, scheduling, policy: "refuse" });
  strict.engine.reconcile([peerOf(B)]);
  clock.advanceSync(10_000);
  assert.equal(strict.sent.length, 0);
  assert.match(strict.report("peer").problem ?? "", /refused/);
  strict.engine.reconcile([peerOf(B, { receiveIntervalMs: 400, transmitIntervalMs: 400 })]);
  clock.advanceSync(3_000);
  assert.ok(strict.sent.length > 0);
  assert.equal(strict.report("peer").problem, undefined);
});

test("an ordinary thread that is punctual for ten minutes keeps 150 ms x 3, until it is late: by polls, without a flap", () => {
  const clock = new FakeClock();
  const a = new End({ clock, address: A, seed: 1, scheduling: { class: "normal", reason: "EPERM" } });
  const b = new End({ clock, address: B, seed: 2 });
  join(a, b);
  a.engine.reconcile([peerOf(B)]);
  b.engine.reconcile([peerOf(A)]);
  clock.advanceSync(10_000);
  const before = a.changes.length + b.changes.length;
  const detection = () => [a.report("peer").detectionTimeMs, b.report("peer").detectionTimeMs];
  clock.advanceSync(580_000);
  assert.deepEqual(detection(), [1_050, 1_050]);
  clock.advanceSync(15_000);
  assert.deepEqual(detection(), [450, 450]);
  assert.match(a.report("peer").problem ?? "", /150 ms x 3 is used/);
  // Three wakeups in ten minutes are enough.
  a.lateMs = 120;
  clock.advanceSync(1_200);
  a.lateMs = 0.01;
  clock.advanceSync(5_000);
  assert.deepEqual(detection(), [750, 750]);
  clock.advanceSync(650_000);
  assert.deepEqual(detection(), [450, 450]);
  assert.equal(a.changes.length + b.changes.length, before);
});

test("who is let into the sockets: our sessions of their distance and family, and peers of both distances", () => {
  const clock = new FakeClock();
  const a = new End({ clock, address: A, seed: 1 });
  const far = { ...peerOf("10.9.0.1", { minimumTtl: 250 }), key: "far", multihop: true };
  const other = { ...peerOf("fd00::2"), key: "other" };
  a.engine.reconcile([peerOf(B), far, other]);
  clock.advanceSync(5_000);
  const mine = (address: string) => a.admitted.get(address as ListenerKind);
  const [single, multi, six] = ["single-IPv4", "multi-IPv4", "single-IPv6"].map(mine);
  assert.deepEqual([single?.addresses, single?.minimumTtl], [[B, "10.9.0.1"], 255]);
  // A near peer that is heard on the far port is told so, whatever its packets had left.
  assert.deepEqual([multi?.addresses, multi?.minimumTtl], [[B, "10.9.0.1"], 0]);
  assert.deepEqual([six?.addresses, six?.minimumTtl], [["fd00::2"], 255]);
  const said = new Set(a.sent.map(({ bytes }) => bytes.readUInt32BE(4)));
  const known = [single, multi, six].flatMap((one) => one?.discriminators ?? []);
  assert.deepEqual([known.length, new Set(known)], [3, said]);
  a.engine.reconcile([far]);
  assert.deepEqual([...a.admitted.keys()].sort(), ["multi-IPv4", "single-IPv4"]);
  assert.deepEqual(mine("multi-IPv4"), {
    discriminators: multi?.discriminators,
    addresses: ["10.9.0.1"],
    minimumTtl: 250,
  });
  assert.deepEqual(mine("single-IPv4")?.discriminators, []);
});

test("what cannot be opened is said, and tried again", () => {
  const { clock, a, b } = pair();
  const late = new End({ clock, address: A, seed: 7 });
  a.engine.close();
  join(late, b);
  late.wireProblem = "bind: EADDRNOTAVAIL";
  late.engine.reconcile([peerOf(B)]);
  assert.match(late.report("peer").problem ?? "", /EADDRNOTAVAIL/);
  late.wireProblem = undefined;
  clock.advanceSync(10_000);
  assert.deepEqual([late.report("peer").problem, late.report("peer").state], [undefined, "Up"]);
});

test("two peers with one path: the second is refused; so are more than the thread holds", () => {
  const { a } = pair();
  a.engine.reconcile([peerOf(B), { ...peerOf(B), key: "again" }]);
  assert.match(a.report("again").problem ?? "", /peer has a session with 10.0.0.2 already/);
  const many = Array.from({ length: SESSIONS_MAX + 1 }, (_, at): BfdPeer => {
    return { ...peerOf(`10.1.${at >> 8}.${at & 255}`), key: `p${at}` };
  });
  a.engine.reconcile(many);
  assert.equal(a.reports.filter(({ problem }) => problem !== undefined).length, 1);
});

test("whatever is lost on the wire: both ends come up again, and each packet obeys the rules", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 12 }),
      fc.nat(1_000),
      (spans, seed) => {
        const { clock, a, b, cable } = pair({}, seed + 1);
        for (const span of spans) {
          clock.advanceSync(span);
          cable.isIn = !cable.isIn;
        }
        cable.isIn = true;
        clock.advanceSync(8_000);
        assert.deepEqual([a.changes.at(-1)?.state, b.changes.at(-1)?.state], ["Up", "Up"]);
        for (const { bytes } of [...a.sent, ...b.sent]) {
          const packet = emptyPacket();
          assert.equal(decodeControl(bytes, bytes.length, packet), undefined);
          assert.ok(packet.state === "Up" || packet.desiredMinTxMicros >= 1_000_000);
        }
      },
    ),
    { numRuns: 60 },
  );
});

test("a peer that speaks over several hops where this end speaks over one is said to do so, until both agree", () => {
  const clock = new FakeClock();
  const a = new End({ clock, address: A, seed: 1 });
  const b = new End({ clock, address: B, seed: 2 });
  join(a, b);
  a.engine.reconcile([peerOf(B)]);
  b.engine.reconcile([{ ...peerOf(A), multihop: true }]);
  clock.advanceSync(10_000);
  assert.match(
    a.report("peer").problem ?? "",
    /the router speaks BFD over several hops and this node over one hop/,
  );
  assert.match(b.report("peer").problem ?? "", /over one hop and this node over several hops/);
  assert.equal(a.report("peer").state, "Down");
  b.engine.reconcile([peerOf(A)]);
  clock.advanceSync(10_000);
  assert.deepEqual([a.report("peer").state, a.report("peer").problem], ["Up", undefined]);
});
