import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { FakeClock } from "#test/fakes/clock.ts";
import { encodeArp } from "./arp.ts";
import { LAST_WORD_MS, QUIET_MS, YIELD_PAUSE_MS } from "./contest.ts";
import { BROADCAST } from "./frame.ts";
import type { SocketRequest } from "./link.ts";
import type { Conflict, FromWorker, LinkIdentity, Rules } from "./messages.ts";
import { unsolicitedAdvertisement } from "./ndp.ts";
import { UNASKED_MS } from "./pacer.ts";
import { Responder } from "./responder.ts";
import * as linux from "./testdata/linux.ts";

const LINK: LinkIdentity = { name: "eth0", index: 7, hardware: "02000000000b" };
const announce = (...vips: string[]) => vips.map((vip) => ({ link: "eth0", vip }));

/** 192.0.2.1 announced by a station that linux.arpingRequestForm is of. */
const STATION = linux.arpingRequestForm.subarray(6, 12).toString("hex");
const RULES: Rules = { own: [LINK.hardware], members: [], addressConflict: "defend" };

/** A request whose sender is `address`, for `target`. */
function claim(address: string, station: string, target = "c00002fe"): Buffer {
  const source = Buffer.from(station, "hex");
  return encodeArp({
    destination: BROADCAST,
    source,
    packet: {
      operation: 1,
      senderHardware: source,
      senderAddress: Buffer.from(address, "hex"),
      targetHardware: new Uint8Array(6),
      targetAddress: Buffer.from(target, "hex"),
    },
  });
}

function world(refuse?: (request: SocketRequest) => void, early = 0) {
  const clock = new FakeClock();
  const after: FakeClock["after"] = (ms, fn) => clock.after(Math.max(ms - early, 1), fn);
  const reports: FromWorker[] = [];
  const sent: string[] = [];
  const open = new Map<string, SocketRequest>();
  /** Frames that the link takes; then it has no room. */
  const link = { room: Number.POSITIVE_INFINITY };
  const responder = new Responder({
    clock: { now: () => clock.now(), after: early === 0 ? (ms, fn) => clock.after(ms, fn) : after },
    random: () => 0.5,
    openGroups: () => ({ join() {}, leave() {}, close() {} }),
    report: (message) => reports.push(message),
    open: (request) => {
      refuse?.(request);
      const key = `${request.linkIndex} ${request.receive}`;
      open.set(key, request);
      return {
        send: (frames) => {
          const left = Math.min(link.room, frames.length);
          link.room -= left;
          if (left === 0) throw Object.assign(new Error("full"), { code: "EAGAIN" });
          for (const frame of frames.slice(0, left)) sent.push(frame.toString("hex"));
          return left;
        },
        close: () => void open.delete(key),
      };
    },
  });
  const hear = (kind: SocketRequest["receive"], frame: Buffer): number => {
    const before = sent.length;
    for (const request of open.values()) if (request.receive === kind) request.onFrames([frame]);
    return sent.length - before;
  };
  const conflicts = (): Conflict[] =>
    reports.flatMap((message) => (message.type === "conflicts" ? message.conflicts : []));
  return { clock, reports, conflicts, sent, open, link, responder, hear };
}

describe("responder", () => {
  test("answers for what is announced, and stops at once when told", () => {
    const { responder, hear } = world();
    responder.update([LINK], announce("192.0.2.2", "2001:db8::2"), []);
    assert.equal(hear("arp", linux.arpRequest), 1);
    assert.equal(hear("neighborDiscovery", linux.solicitation), 1);
    responder.update([LINK], [], announce("192.0.2.2"));
    assert.equal(hear("arp", linux.arpRequest), 0);
    assert.equal(hear("neighborDiscovery", linux.solicitation), 1);
    const { arp, ndp, announced } = responder.counts();
    assert.deepEqual([arp, ndp, announced], [1, 2, 1]);
  });

  test("tells a new address unasked, at once and again: two forms of ARP, one advertisement", async () => {
    const { responder, clock, sent } = world();
    responder.update([LINK], announce("192.0.2.2", "2001:db8::2"), []);
    assert.equal(sent.length, 3);
    await clock.advance(10_000);
    assert.equal(sent.length, 3 * UNASKED_MS.length);
    assert.equal(clock.pending, 0);
  });

  test("stops telling what was withdrawn meanwhile", async () => {
    const { responder, clock, sent } = world();
    responder.update([LINK], announce("192.0.2.2"), []);
    responder.update([LINK], [], announce("192.0.2.2"));
    await clock.advance(10_000);
    assert.equal(sent.length, 2);
  });

  test("a link made anew under its name gets new sockets and is told again, with its new hardware address", () => {
    const { responder, open, sent } = world();
    responder.update([LINK], announce("192.0.2.2"), []);
    responder.update([{ ...LINK, index: 8, hardware: "020000000099" }], [], []);
    assert.deepEqual([...open.keys()].sort(), ["8 arp", "8 neighborDiscovery"]);
    assert.equal(sent.at(-1)?.slice(12, 24), "020000000099");
  });

  test("a link that is gone is closed; without links nothing is open", () => {
    const { responder, open } = world();
    responder.update([LINK], announce("192.0.2.2"), []);
    responder.update([], [], []);
    assert.equal(open.size, 0);
  });

  test("a link that cannot be opened is a problem, and is tried again", () => {
    let isRefused = true;
    const { responder, open } = world(() => {
      if (isRefused) throw Object.assign(new Error("no"), { code: "EPERM" });
    });
    assert.deepEqual(responder.update([LINK], announce("192.0.2.2"), []), [
      { link: "eth0", code: "EPERM", message: "no" },
    ]);
    isRefused = false;
    assert.deepEqual(responder.update([LINK], [], []), []);
    assert.equal(open.size, 2);
  });

  test("another station that uses our address is reported, not answered", () => {
    const { responder, conflicts, hear } = world();
    responder.update([LINK], announce("192.0.2.1"), []);
    assert.equal(hear("arp", linux.arpingRequestForm), 0);
    assert.deepEqual(conflicts(), [{ link: "eth0", vip: "192.0.2.1", station: STATION, state: "defended" }]);
    assert.equal(responder.counts().conflicts, 1);
  });

  test("another node of ours, and another link of this one, are no conflict; only the former is answered", async () => {
    for (const [rules, told] of [
      [{ ...RULES, members: [STATION] }, 2],
      [{ ...RULES, members: undefined }, 2],
      [{ ...RULES, own: [LINK.hardware, STATION] }, 0],
    ] as const) {
      const { responder, clock, conflicts, sent, hear } = world();
      responder.rule({ ...rules, addressConflict: "yield" });
      responder.update([LINK], announce("192.0.2.1"), []);
      await clock.advance(10_000);
      sent.length = 0;
      hear("arp", linux.arpingRequestForm);
      await clock.advance(10_000);
      assert.deepEqual([sent.length, conflicts().length, responder.counts().conflicts], [told, 0, 0]);
    }
  });

  test("the last word on a contested address is of who still answers for it", async () => {
    const { responder, clock, sent, hear } = world();
    responder.update([LINK], announce("192.0.2.1", "2001:db8::2"), []);
    await clock.advance(10_000);
    sent.length = 0;
    const other = Buffer.from("02000000000a", "hex");
    const advertisement = unsolicitedAdvertisement(
      Buffer.from("20010db8000000000000000000000002", "hex"),
      other,
    );
    hear("arp", linux.arpingRequestForm);
    hear("neighborDiscovery", advertisement);
    assert.equal(sent.length, 0, "hosts would ignore it: the other one has just been heard");
    await clock.advance(LAST_WORD_MS);
    assert.equal(sent.length, 3);
    hear("arp", linux.arpingRequestForm);
    await clock.advance(10_000);
    assert.equal(sent.length, 5, "once more, since a host may have believed the other one");
  });

  test("a timer that fires too early costs nothing but a look", async () => {
    const { responder, clock, sent, hear } = world(undefined, 1);
    responder.update([LINK], announce("192.0.2.1"), []);
    await clock.advance(10_000);
    assert.equal(sent.length, 2 * UNASKED_MS.length);
    hear("arp", linux.arpingRequestForm);
    await clock.advance(LAST_WORD_MS);
    assert.equal(sent.length, 2 * UNASKED_MS.length + 2);
    await clock.advance(QUIET_MS + 2_000);
    assert.equal(clock.pending, 0);
  });

  test("a flood of others' claims is met with one word in ten seconds, and one report each", async () => {
    const { responder, clock, sent, hear, conflicts } = world();
    responder.update([LINK], announce("192.0.2.1"), []);
    await clock.advance(10_000);
    sent.length = 0;
    for (let ms = 0; ms < 31_000; ms += 10) {
      hear("arp", linux.arpingRequestForm);
      await clock.advance(10);
    }
    assert.ok(sent.length >= 2 * 3 && sent.length <= 2 * 4, `${sent.length}`);
    assert.ok(conflicts().length <= 5, `${conflicts().length} reports`);
    await clock.advance(12_000 + QUIET_MS);
    assert.equal(conflicts().at(-1)?.state, "over");
    assert.equal(clock.pending, 0);
  });

  test("one host that forges claims to 1,000 addresses, by ever new stations: few reports, few words, little kept", async () => {
    const { responder, clock, sent, hear, conflicts, reports } = world();
    const vips = Array.from({ length: 1_000 }, (_, at) => `10.0.${at >> 8}.${at & 255}`);
    responder.update([LINK], announce(...vips), []);
    await clock.advance(60_000);
    sent.length = 0;
    for (let round = 0; round < 3; round += 1) {
      for (let at = 0; at < vips.length; at += 1) {
        const station = (0x020000100000 + round * 1_000 + at).toString(16).padStart(12, "0");
        hear("arp", claim((0x0a000000 + at).toString(16).padStart(8, "0"), station));
      }
    }
    assert.equal(conflicts().length, 1, "the first at once");
    assert.ok(clock.pending < vips.length + 5, `${clock.pending} timers`);
    await clock.advance(10_000);
    assert.ok(reports.length <= 11, `${reports.length} reports`);
    assert.ok(sent.length <= 1_000 * 10, `${sent.length} frames`);
    responder.update([LINK], [], announce(...vips));
    await clock.advance(2_000);
    assert.equal(clock.pending, 0);
  });

  test("yield: not answered after it went on, said so, and answered again after nobody answered a probe", async () => {
    const { responder, clock, sent, hear, conflicts } = world();
    responder.rule({ ...RULES, addressConflict: "yield" });
    responder.update([LINK], announce("192.0.2.1", "192.0.2.2"), []);
    await clock.advance(10_000);
    const asked = (): number => hear("arp", claim("c00002c8", "020000000077", "c0000201"));
    hear("arp", linux.arpingRequestForm);
    await clock.advance(LAST_WORD_MS);
    assert.equal(asked(), 1);
    hear("arp", linux.arpingRequestForm);
    await clock.advance(1_000);
    assert.equal(asked(), 0);
    assert.equal(hear("arp", linux.arpRequest), 1, "the other address is answered for");
    assert.deepEqual(conflicts().at(-1), {
      link: "eth0",
      vip: "192.0.2.1",
      station: STATION,
      state: "yielded",
    });
    sent.length = 0;
    await clock.advance(YIELD_PAUSE_MS + 500);
    const senders = sent.map((frame) => frame.slice(56, 64));
    assert.ok(senders.length >= 1 && senders.every((sender) => sender === "00000000"), "probes teach nobody");
    await clock.advance(5_000);
    assert.equal(asked(), 1);
    await clock.advance(QUIET_MS + 1_000);
    assert.equal(conflicts().at(-1)?.state, "over");
  });

  test("another node that announces the same addresses is told of at once, then once a second", async () => {
    const { responder, clock, reports, hear } = world();
    const overlaps = (): string[][] =>
      reports.flatMap((message) => (message.type === "overlaps" ? [[...message.vips]] : []));
    responder.rule({ ...RULES, members: [STATION] });
    responder.update([LINK], announce("192.0.2.1", "192.0.2.2", "192.0.2.3"), []);
    hear("arp", claim("c0000201", STATION));
    assert.deepEqual(overlaps(), [["192.0.2.1"]]);
    for (let frame = 0; frame < 50; frame += 1)
      for (const address of ["c0000202", "c0000203"]) hear("arp", claim(address, STATION));
    hear("arp", claim("c0000204", STATION));
    responder.update([LINK], [], announce("192.0.2.3"));
    await clock.advance(1_000);
    assert.deepEqual(overlaps().slice(1), [["192.0.2.2"]], "who gave its address up is no overlap any more");
    assert.deepEqual([responder.counts().overlaps, responder.counts().conflicts], [101, 0]);
    responder.close();
    assert.equal(clock.pending, 0);
  });

  test("an announcement that finds no room is sent later, and none is lost", async () => {
    const { responder, clock, sent, link } = world();
    link.room = 10;
    responder.update([LINK], announce(...Array.from({ length: 20 }, (_, at) => `10.0.0.${at}`)), []);
    await clock.advance(50);
    assert.equal(sent.length, 10);
    link.room = Number.POSITIVE_INFINITY;
    await clock.advance(120);
    const told = new Set(sent.map((frame) => frame.slice(76, 84)));
    const { lost, retried } = responder.counts();
    assert.deepEqual([told.size, lost], [20, 0]);
    assert.ok(retried >= 30, `${retried}`);
  });

  test("whoever has given the address up says nothing more", async () => {
    const { responder, clock, sent, hear } = world();
    responder.update([LINK], announce("192.0.2.1"), []);
    await clock.advance(10_000);
    sent.length = 0;
    hear("arp", linux.arpingRequestForm);
    responder.update([LINK], [], announce("192.0.2.1"));
    await clock.advance(10_000);
    assert.equal(sent.length, 0);
  });

  test("close leaves no timer and no socket", () => {
    const { responder, clock, open } = world();
    responder.update([LINK], announce("192.0.2.2"), []);
    responder.close();
    assert.deepEqual([clock.pending, open.size], [0, 0]);
  });
});
