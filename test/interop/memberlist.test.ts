/** Our member and one of hashicorp/memberlist's: joining, dying, leaving, keys, over real sockets. */
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { afterEach, describe, test } from "node:test";
import { systemClock } from "#common/clock.ts";
import { systemRandom } from "#common/random.ts";
import { GossipSession } from "#speaker/gossip/session.ts";
import { openSockets } from "#speaker/gossip/sockets.ts";
import { GOSSIP_SETTINGS, type GossipSettings } from "#speaker/gossip/timing.ts";
import type { Peer } from "#speaker/gossip/types.ts";
import { keyringOf } from "#speaker/gossip/wire/keyring.ts";
import { encodeMessage } from "#speaker/gossip/wire/message.ts";
import { sealPacket } from "#speaker/gossip/wire/packet.ts";
import { watchHeld } from "#test/held.ts";
import { until } from "#test/until.ts";
import { Memberlist } from "./memberlist.ts";

const [A, B, C] = [32, 16, 24].map((length, at) => new Uint8Array(length).fill(at + 1));
assert.ok(A !== undefined && B !== undefined && C !== undefined);
const PORT = 17_946;
const LABEL = "genkan";
const ours: Peer = { name: "ours", address: "127.7.0.1", port: PORT };
const theirs: Peer = { name: "theirs", address: "127.7.0.2", port: PORT };
const third: Peer = { name: "third", address: "127.7.0.3", port: PORT };

interface World {
  readonly peers: readonly Peer[];
  readonly keys?: readonly Uint8Array[];
  readonly settings?: GossipSettings;
}

const open: { close(): void | Promise<void> }[] = [];
async function closeAll(): Promise<void> {
  for (const one of open.splice(0)) await one.close();
}
afterEach(closeAll);

async function member(own: Peer, { peers, keys = [A as Uint8Array], settings = GOSSIP_SETTINGS }: World) {
  const errors: Error[] = [];
  const told: [from: string, text: string][] = [];
  const session = await GossipSession.open({
    own,
    label: LABEL,
    keys: keyringOf(keys),
    settings,
    clock: systemClock,
    random: systemRandom,
    open: openSockets,
    onChange: () => undefined,
    onTold: ({ from, bytes }) => void told.push([from, Buffer.from(bytes).toString()]),
    onJoined: () => undefined,
    onError: (error) => errors.push(error),
  });
  open.push(session);
  session.setPeers(peers);
  const seen = (name: string, state: string, deadlineMs = 10_000) =>
    until(`${name} to be ${state}`, () => session.states().get(name) === state, { deadlineMs });
  return { session, seen, errors, told };
}

async function memberlist(own: Peer, keys: readonly Uint8Array[] = [A as Uint8Array], compress = true) {
  const { name, address, port } = own;
  const found = await Memberlist.start({ name, address, port, label: LABEL, keys, compress });
  open.push({ close: () => found.kill() });
  return found;
}

const answered = (session: GossipSession, count: number): Promise<true> =>
  until(`${count} probes to be answered`, () => session.counts.answeredProbes >= count);

const hex = (key: Uint8Array): string => Buffer.from(key).toString("hex");

describe("with a member of hashicorp/memberlist", { concurrency: false }, () => {
  for (const compress of [true, false]) {
    test(`we join it; it dies, we see it${compress ? "" : " (without compression)"}`, async (t) => {
      const heldMs = await watchHeld();
      const other = await memberlist(theirs, undefined, compress);
      const { seen, session } = await member(ours, { peers: [theirs] });
      await seen("theirs", "alive");
      await other.heard({ event: "join", name: "ours" });
      await answered(session, 5);
      await seen("theirs", "alive");
      assert.deepEqual(await other.names(), ["ours", "theirs"]);
      // A machine that stands still fails probes.
      const { failedProbes } = session.counts;
      assert.ok(failedProbes * GOSSIP_SETTINGS.probeTimeoutMs <= heldMs(), `${failedProbes} failed`);
      const began = systemClock.now();
      await other.kill();
      await seen("theirs", "dead");
      t.diagnostic(`dead to us after ${Math.round(systemClock.now() - began)} ms`);
    });
  }

  test("it joins us; we die, it sees it; we come back, it sees it", async () => {
    const isolated = { ...GOSSIP_SETTINGS, reachIntervalMs: 1e9 };
    const first = await member(ours, { peers: [theirs], settings: isolated });
    const other = await memberlist(theirs);
    assert.equal(await other.command("join", `${ours.address}:${PORT}`), undefined);
    await first.seen("theirs", "alive");
    assert.deepEqual(await other.names(), ["ours", "theirs"]);
    first.session.close();
    await other.heard({ event: "leave", name: "ours" }, 20_000);
    const before = other.words.length;
    const again = await member(ours, { peers: [theirs] });
    await again.seen("theirs", "alive");
    await until("its word that we are back", () =>
      other.words.slice(before).some(({ event, name }) => event === "join" && name === "ours"),
    );
  });

  test("each says goodbye, and the other does not take it for dead", async () => {
    const other = await memberlist(theirs);
    const first = await member(ours, { peers: [theirs] });
    await other.heard({ event: "join", name: "ours" });
    first.session.leave();
    await other.heard({ event: "leave", name: "ours" });
    assert.doesNotMatch(other.log, /Suspect ours/);
    first.session.close();
    const again = await member(ours, { peers: [theirs] });
    await again.seen("theirs", "alive");
    assert.equal(await other.command("leave"), undefined);
    await again.seen("theirs", "left");
  });

  test("what two of ours tell each other it passes over, a whole state of 170 kB, too", async () => {
    const peers = [ours, theirs, third];
    const other = await memberlist(theirs);
    const first = await member(ours, { peers });
    const whole = new Uint8Array(170_000).fill(7);
    first.session.tell({ news: [], isUrgent: true, whole });
    await first.seen("theirs", "alive");
    const second = await member(third, { peers });
    await Promise.all([first.seen("third", "alive"), second.seen("theirs", "alive")]);
    await other.heard({ event: "join", name: "third" });
    first.session.tell({ news: [Buffer.from("a claim")], isUrgent: true, whole });
    await until("news", () => second.told.some(([from, text]) => from === "ours" && text === "a claim"));
    await second.seen("ours", "alive");
    await answered(first.session, first.session.counts.answeredProbes + 5);
    assert.deepEqual(await other.names(), ["ours", "theirs", "third"]);
    assert.doesNotMatch(other.log, /\[ERR\]/);
  });

  test("three of both kinds find the death of one of ours", async () => {
    const other = await memberlist(theirs);
    const peers = [ours, theirs, third];
    const first = await member(ours, { peers });
    const second = await member(third, { peers });
    await Promise.all([first.seen("third", "alive"), second.seen("theirs", "alive")]);
    await other.heard({ event: "join", name: "third" });
    second.session.close();
    await Promise.all([
      first.seen("third", "dead", 20_000),
      other.heard({ event: "leave", name: "third" }, 20_000),
    ]);
    assert.equal(first.session.states().get("theirs"), "alive");
  });

  test("keys are rotated while all run: added, used, the old one taken away", async () => {
    const other = await memberlist(theirs);
    const { session, seen } = await member(ours, { peers: [theirs] });
    await seen("theirs", "alive");
    session.setKeys(keyringOf([A, B]));
    assert.equal(await other.command("add-key", hex(B)), undefined);
    session.setKeys(keyringOf([B, A]));
    assert.equal(await other.command("use-key", hex(B)), undefined);
    assert.equal(await other.command("remove-key", hex(A)), undefined);
    session.setKeys(keyringOf([B]));
    await answered(session, session.counts.answeredProbes + 5);
    assert.equal(session.states().get("theirs"), "alive");
    assert.deepEqual(await other.names(), ["ours", "theirs"]);
    assert.deepEqual(session.counts.dropped, {});
    // And now without it.
    session.setKeys(keyringOf([C]));
    await seen("theirs", "dead");
    await until("drops by key", () => (session.counts.dropped.key ?? 0) > 0);
  });

  test("with another key it gets no word in, nor out", async () => {
    const { session } = await member(ours, { peers: [theirs] });
    const other = await memberlist(theirs, [B]);
    const error = await other.command("join", `${ours.address}:${PORT}`);
    assert.ok(error !== undefined);
    await until("drops by key", () => (session.counts.dropped.key ?? 0) > 0);
    assert.deepEqual([...session.states().keys()], ["ours"]);
    assert.deepEqual(await other.names(), ["theirs"]);
  });

  test("who is no peer gets no word in, with the right key", async () => {
    const { session } = await member(ours, { peers: [third] });
    const other = await memberlist(theirs);
    assert.ok((await other.command("join", `${ours.address}:${PORT}`)) !== undefined);
    assert.ok((session.counts.dropped.stranger ?? 0) > 0);
    assert.deepEqual([...session.states().keys()], ["ours"]);
  });

  test("over IPv6", async () => {
    const six = { name: "six", address: "::1", port: PORT };
    const seven = { name: "seven", address: "::1", port: PORT + 1 };
    const other = await memberlist(seven);
    const { seen } = await member(six, { peers: [seven] });
    await seen("seven", "alive");
    await other.heard({ event: "join", name: "six" });
  });
});

test("the same octets twice are dropped the second time", async () => {
  const { session } = await member(ours, { peers: [third] });
  const socket = createSocket("udp4");
  socket.bind(PORT, third.address);
  await once(socket, "listening");
  const envelope = { ring: keyringOf([A]), label: LABEL };
  const ping = encodeMessage({ type: "ping", sequence: 9, node: "ours" });
  const bytes = sealPacket([ping], envelope, systemRandom.bytes(12));
  const answered = once(socket, "message");
  for (let time = 0; time < 3; time++) socket.send(bytes, PORT, ours.address);
  await answered;
  await until("two drops", () => session.counts.dropped.replayed === 2);
  socket.close();
});
