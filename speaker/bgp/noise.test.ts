/**
 * Whatever a peer sends, in whatever state: its session ends by the book or goes on, nothing of it is left behind, and
 * another peer's session does not notice. Real TCP on loopback, no decoder alone.
 */
import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import fc from "fast-check";
import { silentLogger } from "#common/log.ts";
import { systemRandom } from "#common/random.ts";
import { Ear, KEEPALIVE, open, plainTransport, SETTINGS, socketPair } from "#test/fakes/bgp-peer.ts";
import { FakeClock } from "#test/fakes/clock.ts";
import { until } from "#test/until.ts";
import { Session } from "./session.ts";
import { encodeMessage, MessageType } from "./wire/header.ts";
import { bird } from "./wire/testdata/bird.ts";
import { exabgp } from "./wire/testdata/exabgp.ts";
import { frr } from "./wire/testdata/frr.ts";
import { gobgp } from "./wire/testdata/gobgp.ts";

const cleanUp: (() => unknown)[] = [];
afterEach(() => {
  for (const clean of cleanUp.splice(0).reverse()) clean();
});

const ROUNDS = 300;
/** Of real routers, for streams that get far. */
const REAL = [...bird, ...exabgp, ...frr, ...gobgp].map(({ hex }) => Buffer.from(hex, "hex"));
const OTHERS = [
  open(),
  KEEPALIVE,
  encodeMessage(MessageType.routeRefresh, Buffer.from("00010001", "hex")),
  encodeMessage(MessageType.notification, Buffer.from("0602", "hex")),
];

const mutated = fc
  .tuple(
    fc.constantFrom(...REAL, ...OTHERS),
    fc.array(fc.tuple(fc.nat(80), fc.nat(255)), { maxLength: 3 }),
    fc.nat(4),
  )
  .map(([message, changes, cut]) => {
    const bytes = Buffer.from(message);
    for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
    return cut === 4 ? bytes.subarray(0, bytes.length >> 1) : bytes;
  });
const stream = fc.tuple(
  fc.constantFrom<readonly Buffer[]>([], [open()], [open(), KEEPALIVE]),
  fc.array(fc.oneof(mutated, fc.uint8Array({ maxLength: 60 })), { minLength: 1, maxLength: 8 }),
);

function sessionOf(name: string, clock: FakeClock): Session {
  const session = new Session({
    settings: { ...SETTINGS, name },
    clock,
    random: systemRandom,
    log: silentLogger,
    transport: { ...plainTransport, connect: () => new Promise(() => {}) },
    addressOn: () => undefined,
    isRestarting: false,
    onChange() {},
  });
  cleanUp.push(() => session.stop(2, "the test is over"));
  return session;
}

async function connectedTo(session: Session) {
  const { ours, theirs, close } = await socketPair();
  cleanUp.push(close);
  session.accept(ours);
  return { ours, theirs, ear: new Ear(theirs, true), close };
}

async function established(session: Session) {
  const ends = await connectedTo(session);
  ends.theirs.write(Buffer.concat([open(), KEEPALIVE]));
  await until(`${session.settings.name} to be established`, () => session.state === "Established");
  return ends;
}

const sockets = (): number =>
  process.getActiveResourcesInfo().filter((one) => one === "TCPSocketWrap").length;

test("noise of all kinds", async (t) => {
  const clock = new FakeClock();
  const fine = sessionOf("fine", clock);
  let loud = sessionOf("loud", clock);
  const good = await established(fine);
  const before = sockets();
  const ends: Record<string, number> = {};
  await fc.assert(
    fc.asyncProperty(stream, async ([greeting, parts]) => {
      await clock.advance(1);
      // One that was established before would be damped by now, and refuse who connects.
      if (loud.report().losses > 0) {
        loud.stop(2, "the next one");
        loud = sessionOf("loud", clock);
      }
      const { ours, theirs, ear, close } = await connectedTo(loud);
      const bytes = Buffer.concat([...greeting, ...parts]);
      theirs.end(bytes);
      // All is read when its end is.
      await until("the end", () => ours.closed || loud.state === "Idle", { everyMs: 1 });
      await until("our last word", () => theirs.readableEnded || theirs.destroyed, { everyMs: 1 });
      const end = ear.notification ?? "its own";
      ends[end] = (ends[end] ?? 0) + 1;
      assert.ok(!["OpenSent", "OpenConfirm", "Established"].includes(loud.state), loud.state);
      assert.equal(loud.report().lastErrorAt, clock.date().toISOString(), "ended without a word");
      assert.equal(loud.report().prefixesReceived, 0);
      close();
    }),
    { numRuns: ROUNDS },
  );
  t.diagnostic(`${ROUNDS} streams, ended by: ${JSON.stringify(ends)}`);
  assert.ok(Object.keys(ends).length >= 6, "the streams are of one kind");
  assert.equal(fine.state, "Established");
  assert.equal(fine.report().losses, 0);
  assert.equal(fine.report().lastError, undefined);
  assert.equal(good.ear.notification, undefined);
  // A second for who lingers; then only what both sessions need is left.
  await clock.advance(1_000);
  await until("no socket more than before", () => sockets() <= before);
  assert.ok(clock.pending <= 8, `${clock.pending} timers are left`);
  await established(sessionOf("next", clock));
});
