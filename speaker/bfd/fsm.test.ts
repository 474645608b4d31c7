import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  configured,
  describe,
  disabled,
  echoFailed,
  echoReturned,
  expired,
  newSession,
  received,
  type Session,
  type SessionSettings,
} from "./fsm.ts";
import { type ControlPacket, emptyPacket, STATES } from "./packet.ts";
import { detectionTimeOf, echoDetectionTimeOf, echoIntervalOf, transmitIntervalOf } from "./timing.ts";
import type { BfdState } from "./types.ts";

const SETTINGS: SessionSettings = {
  desiredMinTxMicros: 50_000,
  requiredMinRxMicros: 60_000,
  detectMultiplier: 3,
  passive: false,
  echo: false,
  echoMicros: 40_000,
  requiredMinEchoRxMicros: 0,
};

const packet = (state: BfdState, more: Partial<ControlPacket> = {}): ControlPacket => ({
  ...emptyPacket(),
  state,
  detectMultiplier: 5,
  myDiscriminator: 77,
  yourDiscriminator: 1,
  desiredMinTxMicros: 30_000,
  requiredMinRxMicros: 20_000,
  ...more,
});
const fresh = (more: Partial<SessionSettings> = {}): Session => newSession({ ...SETTINGS, ...more }, 1);
const down = fresh();
const init = received(down, packet("Down"));
const upPolling = received(init, packet("Init"));
const up = received(upPolling, packet("Up", { final: true }));
const AT: Readonly<Record<BfdState, Session>> = { AdminDown: disabled(up), Down: down, Init: init, Up: up };

test("section 6.2: our state by the peer's", () => {
  const table: Record<BfdState, Record<BfdState, BfdState>> = {
    AdminDown: { AdminDown: "AdminDown", Down: "AdminDown", Init: "AdminDown", Up: "AdminDown" },
    Down: { AdminDown: "Down", Down: "Init", Init: "Up", Up: "Down" },
    Init: { AdminDown: "Down", Down: "Init", Init: "Up", Up: "Up" },
    Up: { AdminDown: "Down", Down: "Down", Init: "Up", Up: "Up" },
  };
  for (const local of STATES) {
    assert.equal(AT[local].state, local);
    for (const remote of STATES) {
      assert.equal(received(AT[local], packet(remote)).state, table[local][remote], `${local}, ${remote}`);
    }
  }
});

test("diagnostics say why the state is what it is", () => {
  assert.equal(received(up, packet("Down")).diagnostic, "NeighborSignaledDown");
  assert.equal(received(up, packet("AdminDown")).diagnostic, "NeighborSignaledDown");
  assert.equal(expired(up).diagnostic, "DetectionTimeExpired");
  assert.equal(expired(init).diagnostic, "DetectionTimeExpired");
  assert.equal(echoFailed(up).diagnostic, "EchoFailed");
  assert.equal(disabled(up).diagnostic, "AdministrativelyDown");
  const again = received(received(expired(up), packet("Down")), packet("Init"));
  assert.equal(again.diagnostic, "None");
});

test("a packet that says nothing new leaves the same object", () => {
  const same = packet("Up");
  const settled = received(up, same);
  assert.equal(received(settled, same), settled);
});

test("section 6.8.3: slow until up, then a poll; faster at once, slower after the answer", () => {
  assert.equal(down.desiredMinTxMicros, 1_000_000);
  assert.equal(transmitIntervalOf(init), 1_000_000);
  assert.deepEqual(
    [upPolling.isPolling, upPolling.desiredMinTxMicros, transmitIntervalOf(upPolling)],
    [true, 50_000, 50_000],
  );
  assert.equal(up.isPolling, false);
  const slower = configured(up, { ...SETTINGS, desiredMinTxMicros: 200_000 });
  assert.deepEqual(
    [slower.isPolling, slower.desiredMinTxMicros, transmitIntervalOf(slower)],
    [true, 200_000, 50_000],
  );
  const confirmed = received(slower, packet("Up", { final: true }));
  assert.deepEqual(
    [confirmed.isPolling, transmitIntervalOf(confirmed), confirmed.state],
    [false, 200_000, "Up"],
  );
  const faster = configured(up, { ...SETTINGS, desiredMinTxMicros: 25_000 });
  assert.deepEqual([faster.isPolling, transmitIntervalOf(faster)], [true, 25_000]);
});

test("section 6.8.3: a stricter detection waits for the answer, a more patient one holds at once", () => {
  assert.equal(detectionTimeOf(up), 5 * 60_000);
  const stricter = configured(up, { ...SETTINGS, requiredMinRxMicros: 40_000 });
  assert.deepEqual([stricter.requiredMinRxMicros, detectionTimeOf(stricter)], [40_000, 5 * 60_000]);
  assert.equal(detectionTimeOf(received(stricter, packet("Up", { final: true }))), 5 * 40_000);
  const patient = configured(up, { ...SETTINGS, requiredMinRxMicros: 90_000 });
  assert.equal(detectionTimeOf(patient), 5 * 90_000);
});

test("one poll sequence at a time: what changed meanwhile is told after the answer", () => {
  const first = configured(up, { ...SETTINGS, desiredMinTxMicros: 200_000 });
  const second = configured(first, { ...SETTINGS, desiredMinTxMicros: 300_000 });
  assert.equal(second.desiredMinTxMicros, 200_000);
  const third = received(second, packet("Up", { final: true }));
  assert.deepEqual([third.isPolling, third.desiredMinTxMicros, third.usedTxMicros], [true, 300_000, 200_000]);
  assert.equal(received(third, packet("Up", { final: true })).usedTxMicros, 300_000);
});

test("section 6.8.4: the peer's multiplier, the slower of the two", () => {
  const slow = received(up, packet("Up", { desiredMinTxMicros: 100_000, detectMultiplier: 4 }));
  assert.equal(detectionTimeOf(slow), 400_000);
  assert.equal(detectionTimeOf(down), undefined);
});

test("section 6.8.7: who does not send", () => {
  const passive = fresh({ passive: true });
  assert.equal(transmitIntervalOf(passive), undefined);
  assert.equal(transmitIntervalOf(received(passive, packet("Down"))), 1_000_000);
  assert.equal(transmitIntervalOf(received(up, packet("Up", { requiredMinRxMicros: 0 }))), undefined);
  const demanding = received(up, packet("Up", { demand: true }));
  assert.equal(transmitIntervalOf(demanding), undefined);
  assert.equal(
    transmitIntervalOf(configured(demanding, { ...SETTINGS, desiredMinTxMicros: 25_000 })),
    25_000,
  );
});

test("after silence the peer is forgotten", () => {
  const after = expired(up);
  assert.deepEqual(
    [after.remoteDiscriminator, after.remoteMinRxMicros, after.isPolling, after.remoteState],
    [0, 1, false, "Down"],
  );
  assert.equal(transmitIntervalOf(after), 1_000_000);
});

test("echo: nothing rests on it before one came back; then control packets slow down by a poll", () => {
  const willing = received(
    configured(up, { ...SETTINGS, echo: true }),
    packet("Up", { requiredMinEchoRxMicros: 90_000 }),
  );
  assert.deepEqual(
    [willing.isEchoing, echoIntervalOf(willing), echoDetectionTimeOf(willing)],
    [false, 90_000, undefined],
  );
  const echoing = echoReturned(willing);
  assert.deepEqual(
    [echoing.isEchoing, echoing.isPolling, echoing.requiredMinRxMicros],
    [true, true, 1_000_000],
  );
  assert.equal(echoDetectionTimeOf(echoing), 3 * 90_000);
  assert.equal(echoReturned(echoing), echoing);
  assert.equal(echoReturned(up), up);
  const refused = received(echoing, packet("Up", { requiredMinEchoRxMicros: 0, final: true }));
  assert.deepEqual(
    [refused.isEchoing, echoIntervalOf(refused), refused.requiredMinRxMicros],
    [false, undefined, 60_000],
  );
});

test("the packet says what the session is; an answer never asks", () => {
  const into = emptyPacket();
  describe(upPolling, false, into);
  assert.deepEqual(
    [into.poll, into.final, into.isIndependent, into.yourDiscriminator],
    [true, false, true, 77],
  );
  describe(disabled(upPolling), false, into);
  assert.deepEqual([into.poll, into.isIndependent, into.state], [false, false, "AdminDown"]);
  describe(upPolling, true, into);
  assert.deepEqual([into.poll, into.final], [false, true]);
});

type Step =
  | { readonly kind: "packet"; readonly packet: ControlPacket }
  | { readonly kind: "expired" | "echo" | "echoFailed" | "slow" | "fast" };
const interval = fc.constantFrom(0, 1, 30_000, 50_000, 1_000_000, 0xffffffff);
const steps: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constant("packet" as const),
    packet: fc
      .record({
        state: fc.constantFrom(...STATES),
        final: fc.boolean(),
        desiredMinTxMicros: interval,
        requiredMinRxMicros: interval,
        requiredMinEchoRxMicros: interval,
        demand: fc.boolean(),
      })
      .map((more) => packet(more.state, more)),
  }),
  fc.constantFrom<Step>(
    { kind: "expired" },
    { kind: "echo" },
    { kind: "echoFailed" },
    { kind: "slow" },
    { kind: "fast" },
  ),
);

function after(session: Session, step: Step): Session {
  if (step.kind === "packet") return received(session, step.packet);
  if (step.kind === "expired") return expired(session);
  if (step.kind === "echo") return echoReturned(session);
  if (step.kind === "echoFailed") return echoFailed(session);
  const desiredMinTxMicros = step.kind === "slow" ? 300_000 : 20_000;
  return configured(session, {
    ...session.settings,
    desiredMinTxMicros,
    requiredMinRxMicros: desiredMinTxMicros,
    echo: true,
  });
}

test("after any events: never faster than a second unless up, never up unheard, a poll only when up", () => {
  fc.assert(
    fc.property(fc.array(steps, { maxLength: 40 }), (events) => {
      let session = down;
      for (const event of events) {
        const before = session;
        session = after(session, event);
        if (session.state !== "Up") {
          assert.ok(session.desiredMinTxMicros >= 1_000_000 && session.usedTxMicros >= 1_000_000);
          assert.ok(!session.isPolling && !session.isEchoing);
        }
        if (session.state === "Up") assert.notEqual(session.remoteDiscriminator, 0);
        if (session.isEchoing) assert.ok(session.remoteMinEchoRxMicros > 0);
        const isConfirmed = event.kind === "packet" && event.packet.final;
        if (session.isPolling && before.isPolling && !isConfirmed) {
          assert.equal(session.desiredMinTxMicros, before.desiredMinTxMicros);
        }
        const time = transmitIntervalOf(session);
        assert.ok(time === undefined || time > 0);
      }
    }),
    { numRuns: 1_000 },
  );
});
