/** What we say of ourselves, what two OPENs have in common, and which ones are refused. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { OPEN, SETTINGS } from "#test/fakes/bgp-peer.ts";
import { negotiate, ownOpen } from "./negotiated.ts";
import type { PeerSettings } from "./types.ts";
import type { Capabilities } from "./wire/capability.ts";
import { BgpError } from "./wire/error.ts";
import type { Open } from "./wire/open.ts";

const settings = (more: Partial<PeerSettings> = {}): PeerSettings => ({ ...SETTINGS, ...more });
const peer = (more: Partial<Open> = {}, capabilities: Partial<Capabilities> = {}): Open => ({
  ...OPEN,
  ...more,
  capabilities: { ...OPEN.capabilities, ...capabilities },
});
const between = (own: Partial<PeerSettings>, theirs: Open) => {
  const mine = settings(own);
  return negotiate(mine, ownOpen(mine, false), theirs);
};

test("our OPEN says all that we can, and nothing of graceful restart where it is not wanted", () => {
  const { capabilities, ...rest } = ownOpen(
    settings({ families: ["IPv4", "IPv6"], holdTimeMs: 3_999 }),
    false,
  );
  assert.deepEqual(rest, { version: 4, asn: 65_000, holdTimeSeconds: 3, routerId: "10.0.0.9" });
  assert.deepEqual(capabilities, {
    families: ["IPv4", "IPv6"],
    asn: 65_000,
    routeRefresh: true,
    enhancedRouteRefresh: true,
    extendedMessage: true,
    extendedNextHop: true,
  });
  assert.equal(ownOpen(settings({ families: ["IPv6"] }), false).capabilities.extendedNextHop, false);
});

test("graceful restart: the kernel forwards without us, R only after a start", () => {
  for (const isRestarting of [true, false]) {
    assert.deepEqual(
      ownOpen(settings({ gracefulRestart: true }), isRestarting).capabilities.gracefulRestart,
      {
        isRestarting,
        coversNotifications: false,
        timeSeconds: 30,
        families: [{ family: "IPv4", isForwarding: true }],
      },
    );
  }
  const theirs = { isRestarting: false, coversNotifications: false, timeSeconds: 60, families: [] };
  const able = peer({}, { gracefulRestart: theirs });
  assert.equal(between({ gracefulRestart: false }, able).gracefulRestart, undefined);
  assert.deepEqual(between({ gracefulRestart: true }, able).gracefulRestart, theirs);
  assert.equal(between({ gracefulRestart: true }, peer()).gracefulRestart, undefined);
});

describe("what is in common", () => {
  const times: readonly [own: Partial<PeerSettings>, theirs: number, hold: number, keepalive: number][] = [
    [{ holdTimeMs: 90_000 }, 90, 90_000, 30_000],
    [{ holdTimeMs: 90_000 }, 3, 3_000, 1_000],
    [{ holdTimeMs: 3_000 }, 180, 3_000, 1_000],
    [{ holdTimeMs: 90_000, keepaliveTimeMs: 10_000 }, 90, 90_000, 10_000],
    [{ holdTimeMs: 90_000, keepaliveTimeMs: 40_000 }, 90, 90_000, 30_000],
    [{ holdTimeMs: 90_000 }, 0, 0, 0],
    // RFC 4271 section 4.4: not more than one a second.
    [{ holdTimeMs: 90_000, keepaliveTimeMs: 100 }, 90, 90_000, 1_000],
  ];
  for (const [own, theirs, hold, keepalive] of times) {
    test(`hold time ${own.holdTimeMs} ms here, ${theirs} s there`, () => {
      const { holdTimeMs, keepaliveTimeMs } = between(own, peer({ holdTimeSeconds: theirs }));
      assert.deepEqual([holdTimeMs, keepaliveTimeMs], [hold, keepalive]);
    });
  }

  test("families; a peer that names none speaks IPv4 (RFC 4760 section 8)", () => {
    assert.deepEqual(between({ families: ["IPv4", "IPv6"] }, peer({}, { families: ["IPv6"] })).families, [
      "IPv6",
    ]);
    assert.deepEqual(between({ families: ["IPv4", "IPv6"] }, peer({}, { families: [] })).families, ["IPv4"]);
  });

  test("a peer that names other families only does not speak IPv4 (RFC 4760 section 8)", () => {
    const vpn = peer({}, { families: [], hasOtherFamilies: true });
    assert.throws(
      () => between({ families: ["IPv4", "IPv6"] }, vpn),
      (error) => {
        assert.ok(error instanceof BgpError);
        assert.equal(
          error.message,
          "OPEN error (capability): the peer speaks other families, not IPv4, IPv6",
        );
        // RFC 5492 section 3: the NOTIFICATION has the capabilities that are missed.
        assert.equal(error.data.toString("hex"), "010400010001010400020001");
        return true;
      },
    );
  });

  test("what the peer cannot is not done: 4-octet AS numbers, long messages, marked refreshes, RFC 8950", () => {
    const { asn: _, ...old } = OPEN.capabilities;
    const plain = negotiate(settings(), ownOpen(settings(), false), { ...OPEN, capabilities: old });
    const { as4, extendedMessage, enhancedRouteRefresh, extendedNextHop } = plain;
    assert.deepEqual(
      [as4, extendedMessage, enhancedRouteRefresh, extendedNextHop],
      [false, false, false, false],
    );
    const can = { extendedMessage: true, enhancedRouteRefresh: true, extendedNextHop: true };
    const modern = between({}, peer({}, can));
    assert.deepEqual([modern.as4, modern.extendedMessage, modern.enhancedRouteRefresh], [true, true, true]);
    assert.equal(modern.extendedNextHop, true);
  });
});

describe("whose OPEN is refused", () => {
  const cases: readonly [
    what: string,
    own: Partial<PeerSettings>,
    theirs: Open,
    subcode: number | undefined,
  ][] = [
    ["the AS that is asked for", {}, peer(), undefined],
    ["another AS", {}, peer({ asn: 65_002 }), 2],
    ["any external one", { peerAsn: "external" }, peer({ asn: 4_200_000_000 }), undefined],
    ["our own where an external one is asked for", { peerAsn: "external" }, peer({ asn: 65_000 }), 2],
    ["our own where an internal one is asked for", { peerAsn: "internal" }, peer({ asn: 65_000 }), undefined],
    ["another where an internal one is asked for", { peerAsn: "internal" }, peer(), 2],
    ["AS 0 (RFC 7607)", { peerAsn: "external" }, peer({ asn: 0 }), 2],
    ["the AS that localASN stands for", { localAsn: 65_001, peerAsn: 65_001 }, peer(), undefined],
    ["our identifier inside our AS", { peerAsn: "internal" }, peer({ asn: 65_000, routerId: "10.0.0.9" }), 3],
    ["our identifier in another AS (RFC 6286)", {}, peer({ routerId: "10.0.0.9" }), undefined],
    ["no identifier", {}, peer({ routerId: "0.0.0.0" }), 3],
    ["a hold time of 1 s", {}, peer({ holdTimeSeconds: 1 }), 6],
    ["a hold time of 2 s", {}, peer({ holdTimeSeconds: 2 }), 6],
    ["a hold time of 3 s", {}, peer({ holdTimeSeconds: 3 }), undefined],
    ["no family in common", { families: ["IPv6"] }, peer(), 7],
    ["a role that fits", { role: "Customer" }, peer({}, { roles: [0] }), undefined],
    ["peers of each other", { role: "Peer" }, peer({}, { roles: [4] }), undefined],
    ["a route server's client", { role: "RouteServerClient" }, peer({}, { roles: [1] }), undefined],
    ["one that says no role", { role: "Provider" }, peer(), undefined],
    ["a role where we have none", {}, peer({}, { roles: [3] }), undefined],
    ["a role that does not fit (RFC 9234)", { role: "Customer" }, peer({}, { roles: [3] }), 11],
    ["a role that nobody knows", { role: "Customer" }, peer({}, { roles: [9] }), 11],
    ["two roles", { role: "Customer" }, peer({}, { roles: [0, 3] }), 11],
    [
      "a role in our own AS",
      { role: "Customer", peerAsn: "internal" },
      peer({ asn: 65_000 }, { roles: [3] }),
      undefined,
    ],
  ];
  for (const [what, own, theirs, subcode] of cases) {
    test(`${what}: ${subcode === undefined ? "taken" : `2/${subcode}`}`, () => {
      if (subcode === undefined) between(own, theirs);
      else {
        assert.throws(
          () => between(own, theirs),
          (error) => error instanceof BgpError && error.code === 2 && error.subcode === subcode,
        );
      }
    });
  }
});
