import assert from "node:assert/strict";
import { test } from "node:test";
import { OPEN, SETTINGS } from "#test/fakes/bgp-peer.ts";
import { negotiate, ownOpen } from "./negotiated.ts";
import { KNOWN_PREFIXES, Received } from "./received.ts";
import { encodeUpdate } from "./wire/update.ts";

const OWN = 64_512;
const negotiated = (families: readonly ("IPv4" | "IPv6")[]) => {
  const settings = { ...SETTINGS, families };
  const theirs = { ...OPEN, capabilities: { ...OPEN.capabilities, families: ["IPv4", "IPv6"] as const } };
  return negotiate(settings, ownOpen(settings, false), theirs);
};
const ipv4 = (...prefixes: string[]) => [{ family: "IPv4" as const, prefixes }];
const path = (...asns: number[]) => ({ asPath: [{ type: 2, asns }] });

test("a prefix counts once, until it is withdrawn", () => {
  const received = new Received();
  const two = ipv4("192.0.2.0/24", "198.51.100.0/24");
  assert.equal(received.apply({ withdrawn: [], announced: two, attributes: path(1) }, OWN), 2);
  assert.equal(
    received.apply({ withdrawn: [], announced: ipv4("192.0.2.0/24"), attributes: path(1, 2) }, OWN),
    2,
  );
  assert.equal(received.apply({ withdrawn: two, announced: [], attributes: {} }, OWN), 0);
});

test("a route that has been here counts for nothing, and takes the place of one that had not", () => {
  const received = new Received();
  const one = ipv4("192.0.2.0/24");
  assert.equal(received.apply({ withdrawn: [], announced: one, attributes: path(1, OWN) }, OWN), 0);
  assert.equal(received.apply({ withdrawn: [], announced: one, attributes: path(1) }, OWN), 1);
  assert.equal(received.apply({ withdrawn: [], announced: one, attributes: path(1, OWN) }, OWN), 0);
});

test("it is seen to have been here behind AS_TRANS too", () => {
  const far = { ...path(1, 23_456), as4Path: [{ type: 2, asns: [1, 4_200_000_100] }] };
  const told = { withdrawn: [], announced: ipv4("192.0.2.0/24"), attributes: far };
  assert.equal(new Received().apply(told, 4_200_000_100), 0);
  assert.equal(new Received().apply(told, OWN), 1);
});

test("a family told anew loses what is not told again, and nothing else does (RFC 7313)", () => {
  const received = new Received();
  const tell = (...prefixes: string[]) =>
    received.apply({ withdrawn: [], announced: ipv4(...prefixes), attributes: path(1) }, OWN);
  const six = [{ family: "IPv6" as const, prefixes: ["2001:db8::/32"] }];
  received.apply({ withdrawn: [], announced: six, attributes: path(1) }, OWN);
  tell("192.0.2.0/24", "198.51.100.0/24");
  received.endRefresh("IPv4");
  assert.equal(received.size, 3, "an end without a beginning");
  received.beginRefresh("IPv4");
  tell("192.0.2.0/24", "203.0.113.0/24");
  assert.equal(received.size, 4);
  received.endRefresh("IPv4");
  assert.equal(received.size, 3);
  received.endRefresh("IPv4");
  assert.equal(received.size, 3);
});

test("a full table costs no session and no memory: what is beyond the first thousands is only known to be there (RFC 4271 section 6.7)", () => {
  const received = new Received();
  const some = (from: number, count: number) =>
    ipv4(...Array.from({ length: count }, (_, at) => `10.${(from + at) >> 8}.${(from + at) & 255}.0/24`));
  received.apply({ withdrawn: [], announced: some(0, KNOWN_PREFIXES), attributes: path(1) }, OWN);
  assert.deepEqual([received.size, received.hasMore], [KNOWN_PREFIXES, false]);
  received.apply({ withdrawn: [], announced: some(0, 10), attributes: path(1) }, OWN);
  assert.equal(received.hasMore, false, "the same ones again are not more");
  received.apply({ withdrawn: [], announced: some(KNOWN_PREFIXES, 30_000), attributes: path(1) }, OWN);
  assert.deepEqual([received.size, received.hasMore], [KNOWN_PREFIXES, true]);
  received.beginRefresh("IPv4");
  received.apply({ withdrawn: [], announced: some(0, 10), attributes: path(1) }, OWN);
  received.endRefresh("IPv4");
  assert.deepEqual([received.size, received.hasMore], [10, false], "told anew, filtered");
});

test("routes of a family that was not agreed on are passed over (RFC 4760 section 7)", () => {
  const attributes = Buffer.from(
    `40010100${"4002060201fa56ea64"}800e1a00020110fd000000000000000000000000000001002020010db8`,
    "hex",
  );
  const body = encodeUpdate({ attributes });
  const of = (families: readonly ("IPv4" | "IPv6")[]): number => {
    const received = new Received();
    received.take(body, negotiated(families), SETTINGS);
    return received.size;
  };
  assert.deepEqual([of(["IPv4", "IPv6"]), of(["IPv4"])], [1, 0]);
});
