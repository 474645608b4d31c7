import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseAddress } from "#speaker/netlink/bytes.ts";
import { internetChecksum } from "../checksum.ts";
import { carrierMatches, carry, innerAt } from "./carrier.ts";
import { decodeProbe, decodeUdp, encodeProbe, KINDS, type Probe } from "./packet.ts";
import { ringAfter } from "./selfprobe.ts";
import { Tally, THROUGH_MS } from "./tally.ts";

const PROBE: Probe = { family: "IPv4", from: "172.30.0.1", kind: "ordinary", sequence: 7 };
const ends = { IPv4: ["172.30.0.1", "172.30.0.2"], IPv6: ["fd30::1", "fd30::2"] } as const;

for (const family of ["IPv4", "IPv6"] as const)
  for (const kind of KINDS)
    test(`a probe there and back: ${family}, ${kind}`, () => {
      const probe: Probe = { family, from: ends[family][0], kind, sequence: 2 ** 32 - 1 };
      const bytes = encodeProbe(probe, ends[family][1]);
      const header = family === "IPv4" ? 20 : 40;
      assert.deepEqual(decodeProbe(family, bytes), probe);
      assert.deepEqual(decodeUdp(family, probe.from, bytes.subarray(header)), probe);
      assert.equal(bytes.readUInt16BE(header + 2), 7473);
    });

test("an IPv4 header's checksum is right: with it the sum is all ones", () => {
  const bytes = encodeProbe(PROBE, "172.30.0.2");
  let sum = 0;
  for (let at = 0; at < 20; at += 2) sum += bytes.readUInt16BE(at);
  assert.equal((sum & 0xffff) + (sum >>> 16), 0xffff);
});

test("nothing else is taken for a probe, and nothing throws", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (noise) => {
      for (const family of ["IPv4", "IPv6"] as const)
        assert.equal(decodeProbe(family, Buffer.from(noise)), undefined);
    }),
  );
});

/** Probes that are seen at `places`, one round after the other. */
function rounds(tally: Tally, count: number, places: readonly ("link" | "outer" | "inner")[], changes = {}) {
  let trouble = tally.judge(0);
  for (let at = 0; at < count; at += 1) {
    const now = at * 30_000;
    for (const place of places) tally.see({ ...PROBE, ...changes, sequence: at }, place, now, "eth0");
    trouble = tally.judge(now + THROUGH_MS);
  }
  return trouble;
}

test("what is on the link and does not come through, twice, is the firewall's work", () => {
  assert.equal(rounds(new Tally(), 1, ["link"]), undefined);
  const outer = rounds(new Tally(), 2, ["link"]);
  assert.equal(outer?.reason, "FirewallDrops");
  assert.match(
    outer.message,
    /protocol 4, link eth0.*l4proto 4 accept.*mark and 0x1000.*iptables -I INPUT -p 4/,
  );
  assert.match(rounds(new Tally(), 2, ["link", "outer"])?.message ?? "", /comes out of the tunnel/);
  assert.match(
    rounds(new Tally(), 2, ["link", "outer"], { kind: "invalid" })?.message ?? "",
    /connection tracking calls invalid/,
  );
  assert.match(
    rounds(new Tally(), 2, ["link"], { family: "IPv6", from: "fd30::1" })?.message ?? "",
    /protocol 41.*ip6tables/,
  );
});

test("no false alarm: what comes through, what is on no link, and one that is lost between others", () => {
  assert.equal(rounds(new Tally(), 9, ["link", "outer", "inner"]), undefined);
  // Sockets are read in any order.
  assert.equal(rounds(new Tally(), 9, ["inner", "outer", "link"]), undefined);
  assert.equal(rounds(new Tally(), 9, []), undefined);
  const tally = new Tally();
  for (let round = 0; round < 9; round += 1) {
    tally.see({ ...PROBE, sequence: round }, "link", round, "eth0");
    if (round % 2 === 0) tally.see({ ...PROBE, sequence: round }, "inner", round);
    assert.equal(tally.judge(round + THROUGH_MS), undefined);
  }
});

test("one that comes through ends it, of its own kind only", () => {
  const tally = new Tally();
  rounds(tally, 2, ["link"]);
  tally.see({ ...PROBE, kind: "invalid" }, "inner", 70_000);
  assert.equal(tally.judge(70_000)?.reason, "FirewallDrops");
  tally.see({ ...PROBE, sequence: 9 }, "inner", 71_000);
  assert.equal(tally.judge(71_000), undefined);
});

test("what was dropped before the last one that came through is not held against it", () => {
  const tally = new Tally();
  for (const sequence of [1, 2, 3]) tally.see({ ...PROBE, sequence }, "link", sequence, "eth0");
  tally.see({ ...PROBE, sequence: 4 }, "inner", 4);
  assert.equal(tally.judge(4 + THROUGH_MS), undefined);
});

test("a ring: everybody is probed by who is before him, and probes who is after him", () => {
  const names = ["c", "a", "b"];
  assert.deepEqual(
    names.map((name) => ringAfter(name, names)),
    [
      ["a", "b"],
      ["b", "c"],
      ["c", "a"],
    ],
  );
});

for (const kind of ["ipip", "gre", "gue"] as const) {
  for (const family of ["IPv4", "IPv6"] as const) {
    test(`a probe is carried by ${kind}: ${family}`, () => {
      const [from, to] = ends[family];
      const inner = encodeProbe({ ...PROBE, family, from }, to);
      const carried = carry({ family, kind, from, to }, inner);
      assert.deepEqual(carried.subarray(innerAt(kind)), inner);
      for (const { offset, value } of carrierMatches(family, kind, 0))
        assert.equal(carried.readUInt16BE(offset), value);
      if (kind !== "gue") return;
      const pseudo = Buffer.from([0, 17, 0, carried.length]);
      assert.equal(internetChecksum(parseAddress(from), parseAddress(to), pseudo, carried), 0);
    });
  }
}

test("a firewall's rules are about the tunnel that is used", () => {
  assert.match(
    rounds(new Tally("gre"), 2, ["link"])?.message ?? "",
    /IP protocol 47, link eth0.*l4proto 47 accept.*-p 47 -j/,
  );
  assert.match(
    rounds(new Tally("gue"), 2, ["link"])?.message ?? "",
    /UDP port 7476, link eth0.*input udp dport 7476 accept.*-p udp --dport 7476 -j/,
  );
});
