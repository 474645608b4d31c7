import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { FakeClock } from "#test/fakes/clock.ts";
import type { FromWorker, LinkIdentity } from "./messages.ts";
import { unsolicitedAdvertisement } from "./ndp.ts";
import { DEFEND_MS, Responder, type SocketRequest, UNASKED_MS } from "./responder.ts";
import * as linux from "./testdata/linux.ts";

const LINK: LinkIdentity = { name: "eth0", index: 7, hardware: "02000000000b" };
const announce = (...vips: string[]) => vips.map((vip) => ({ link: "eth0", vip }));

function world(refuse?: (request: SocketRequest) => void) {
  const clock = new FakeClock();
  const reports: FromWorker[] = [];
  const sent: string[] = [];
  const open = new Map<string, SocketRequest>();
  const responder = new Responder({
    clock,
    openGroups: () => ({ join() {}, leave() {}, close() {} }),
    report: (message) => reports.push(message),
    open: (request) => {
      refuse?.(request);
      const key = `${request.linkIndex} ${request.receive}`;
      open.set(key, request);
      return {
        send: (frames) => {
          for (const frame of frames) sent.push(frame.toString("hex"));
          return frames.length;
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
  return { clock, reports, sent, open, responder, hear };
}

describe("responder", () => {
  test("answers for what is announced, and stops at once when told", () => {
    const { responder, hear } = world();
    responder.update([LINK], announce("192.0.2.2", "2001:db8::2"), []);
    assert.equal(hear("arpRequests", linux.arpRequest), 1);
    assert.equal(hear("neighborDiscovery", linux.solicitation), 1);
    responder.update([LINK], [], announce("192.0.2.2"));
    assert.equal(hear("arpRequests", linux.arpRequest), 0);
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
    assert.deepEqual([...open.keys()].sort(), ["8 arpRequests", "8 neighborDiscovery"]);
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

  test("another station that announces our address is reported, not answered", () => {
    const { responder, reports, hear } = world();
    responder.update([LINK], announce("192.0.2.1"), []);
    assert.equal(hear("arpRequests", linux.arpingRequestForm), 0);
    const station = linux.arpingRequestForm.subarray(6, 12).toString("hex");
    assert.deepEqual(reports, [{ type: "conflict", conflict: { link: "eth0", vip: "192.0.2.1", station } }]);
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
    hear("arpRequests", linux.arpingRequestForm);
    hear("neighborDiscovery", advertisement);
    assert.equal(sent.length, 0, "hosts would ignore it: the other one has just been heard");
    // Once more, just before we speak.
    await clock.advance(DEFEND_MS - 1);
    hear("arpRequests", linux.arpingRequestForm);
    await clock.advance(1);
    assert.equal(sent.length, 3);
    await clock.advance(10_000);
    assert.equal(sent.length, 5, "ARP once more, since a host may have ignored the first");
    assert.equal(clock.pending, 0);
  });

  test("a flood of others' announcements is met with one word and one report a second", async () => {
    const { responder, clock, sent, hear, reports } = world();
    responder.update([LINK], announce("192.0.2.1"), []);
    await clock.advance(10_000);
    sent.length = 0;
    for (let ms = 0; ms < 11_000; ms += 10) {
      hear("arpRequests", linux.arpingRequestForm);
      await clock.advance(10);
    }
    assert.ok(sent.length <= 2 * 10, `${sent.length}`);
    assert.ok(reports.length >= 5 && reports.length <= 11, `${reports.length} reports`);
  });

  test("whoever has given the address up says nothing more", async () => {
    const { responder, clock, sent, hear } = world();
    responder.update([LINK], announce("192.0.2.1"), []);
    await clock.advance(10_000);
    sent.length = 0;
    hear("arpRequests", linux.arpingRequestForm);
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
