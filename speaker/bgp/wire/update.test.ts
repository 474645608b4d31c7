/** What a broken UPDATE costs: an attribute, its routes or the session, by the sections of RFC 7606. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { BgpError } from "./error.ts";
import { decodeUpdate, encodeEndOfRib, encodeUpdate } from "./update.ts";

const AS4 = { as4: true };
const INTERNAL = { as4: true, isInternal: true };
const attributes = {
  origin: "40010100",
  asPath: "4002060201fa56ea64",
  nextHop: "4003040a000001",
};
const update = (parts: readonly string[], nlri = "180a0101"): Buffer =>
  encodeUpdate({ attributes: Buffer.from(parts.join(""), "hex"), nlri: Buffer.from(nlri, "hex") });
const { origin, asPath, nextHop } = attributes;
const base = [origin, asPath, nextHop];
/** 2001:db8::/32. */
const REACH6 = "00020110fd000000000000000000000000000001002020010db8";
const MP = `800e1a${REACH6}`;
const ROUTES = [{ family: "IPv4", prefixes: ["10.1.1.0/24"] }];

describe("treated as a withdrawal", () => {
  const cases: readonly [what: string, parts: readonly string[], why: RegExp, context?: object][] = [
    ["7.1: ORIGIN 3", ["40010103", asPath, nextHop], /^UPDATE error \(origin\): ORIGIN: 3 is none$/],
    ["7.1: ORIGIN of two octets", ["4001020000", asPath, nextHop], /ORIGIN: 1 octets too long/],
    ["3 (d): no ORIGIN", [asPath, nextHop], /ORIGIN is missing/],
    ["3 (d): no AS_PATH", [origin, nextHop], /AS_PATH is missing/],
    ["3 (d): no NEXT_HOP", [origin, asPath], /NEXT_HOP is missing/],
    ["7.2: a segment of nothing", [origin, "4002020200", nextHop], /AS_PATH: a segment of nothing/],
    ["7.2: a segment of type 9", [origin, "4002060901fa56ea64", nextHop], /AS_PATH: segment type 9/],
    ["7.2: a segment cut short", [origin, "4002040201fa56", nextHop], /AS_PATH/],
    ["7.2: one octet left", [origin, "4002070201fa56ea6402", nextHop], /AS_PATH/],
    [
      "RFC 5065 section 5: a confederation's segment",
      [origin, "4002060301fa56ea64", nextHop],
      /confederation/,
    ],
    ["RFC 7607 section 2: AS 0", [origin, "400206020100000000", nextHop], /AS_PATH: AS 0/],
    ["7.3: NEXT_HOP of three octets", [origin, asPath, "4003030a0000"], /NEXT_HOP/],
    ["7.4: MULTI_EXIT_DISC of five octets", [...base, "8004050000000064"], /MULTI_EXIT_DISC/],
    ["7.5: LOCAL_PREF of three octets, iBGP", [...base, "400503000000"], /LOCAL_PREF/, INTERNAL],
    ["7.8: COMMUNITIES of three octets", [...base, "c00803fde901"], /COMMUNITIES/],
    ["7.8: no communities in the list", [...base, "c00800"], /COMMUNITIES/],
    ["7.9: ORIGINATOR_ID of three octets, iBGP", [...base, "8009030a0000"], /ORIGINATOR_ID/, INTERNAL],
    ["7.10: CLUSTER_LIST of five octets, iBGP", [...base, "800a050a00000101"], /CLUSTER_LIST/, INTERNAL],
    ["7.14: EXTENDED COMMUNITIES of seven octets", [...base, "c0100700020000000000"], /EXTENDED COMMUNITIES/],
    ["7.15: IPv6 EXTENDED COMMUNITIES of none", [...base, "c01900"], /IPv6 EXTENDED COMMUNITIES/],
    [
      "RFC 8092 section 5: large communities of 8 octets",
      [...base, "c020080000000100000002"],
      /LARGE_COMMUNITY/,
    ],
    [
      "3 (c): ORIGIN that is optional",
      ["c0010100", asPath, nextHop],
      /\(attributeFlags\): flags 0xc0 of ORIGIN/,
    ],
    ["3 (c): AGGREGATOR that is well-known", [...base, "4007080000fde90a000001"], /flags 0x40 of AGGREGATOR/],
    ["3 (c): ATOMIC_AGGREGATE that is optional", [...base, "c00600"], /flags 0xc0 of ATOMIC_AGGREGATE/],
    ["3 (c): ORIGINATOR_ID that is well-known, iBGP", [...base, "4009040a000001"], /ORIGINATOR_ID/, INTERNAL],
    ["4: an attribute longer than the list", [...base, "c008ff00"], /COMMUNITIES/],
    ["4: a list that ends within an attribute's head", [...base, "80"], /attribute type/],
  ];
  for (const [what, parts, why, context] of cases) {
    test(`RFC 7606 section ${what}`.replace("section RFC", "and RFC"), () => {
      const result = decodeUpdate(update(parts), { ...AS4, ...context });
      assert.match(result.treatedAsWithdrawn ?? "", why);
      assert.deepEqual(result.withdrawn, ROUTES);
      assert.deepEqual(result.announced, []);
    });
  }

  test("RFC 7606 section 3 (c): MP_REACH_NLRI with wrong flags, whose routes can be told", () => {
    const result = decodeUpdate(update([`c00e1a${REACH6}`, origin, asPath], ""), AS4);
    assert.match(result.treatedAsWithdrawn ?? "", /flags 0xc0 of MP_REACH_NLRI/);
    assert.deepEqual(result.withdrawn, [{ family: "IPv6", prefixes: ["2001:db8::/32"] }]);
  });
});

describe("discarded, and the route stays", () => {
  const cases: readonly [what: string, parts: readonly string[], context?: object][] = [
    ["7.5: LOCAL_PREF from another AS, of three octets", ["400503000000"]],
    ["7.9: ORIGINATOR_ID from another AS, whatever it is", ["400903000000"]],
    ["7.10: CLUSTER_LIST from another AS", ["800a050000000000"]],
    ["7.6: ATOMIC_AGGREGATE of one octet", ["40060100"]],
    ["7.7: AGGREGATOR of five octets, as GoBGP's own test sends it", ["c007050000006400"]],
    ["7.7: AGGREGATOR of six octets from who says four-octet numbers", ["c00706fde90a000001"]],
    ["7.7 and RFC 7607 section 2: AGGREGATOR of AS 0", ["c00708000000000a000001"]],
    ["3 (g): a second ORIGIN", ["40010103"]],
    ["RFC 6793 section 4.1: AS4_AGGREGATOR from who says four-octet numbers", ["c0120100"]],
    ["RFC 6793 section 6: AS4_PATH that is broken", ["c01103020100"], { as4: false }],
    ["RFC 6793 section 6: AS4_AGGREGATOR that is broken", ["c0120100"], { as4: false }],
    ["RFC 4271 section 9: an optional attribute that nobody knows", ["e0630401020304"]],
  ];
  for (const [what, parts, context] of cases) {
    test(`RFC 7606 section ${what}`.replace("section RFC", "and RFC"), () => {
      const own = { ...AS4, ...context };
      const path = own.as4 ? asPath : "40020402015ba0";
      const result = decodeUpdate(update([origin, path, nextHop, ...parts]), own);
      assert.deepEqual([result.treatedAsWithdrawn, result.announced], [undefined, ROUTES]);
      assert.deepEqual([result.attributes.localPref, result.attributes.as4Path], [undefined, undefined]);
    });
  }

  test("RFC 7606 section 7.5: LOCAL_PREF from another AS beside withdrawals only ends nothing", () => {
    const body = encodeUpdate({
      withdrawn: Buffer.from("180a0101", "hex"),
      attributes: Buffer.from("400503000000", "hex"),
    });
    assert.deepEqual(decodeUpdate(body, AS4).withdrawn, ROUTES);
  });

  test("RFC 4760 section 7: routes of a family that nobody asked for are passed over", () => {
    const vpn = `800e200001800c${"00".repeat(12)}0070${"00".repeat(14)}`;
    const result = decodeUpdate(update([vpn, "40010103", asPath], ""), AS4);
    assert.deepEqual([result.announced, result.withdrawn], [[], []]);
  });
});

describe("ends the session, with the NOTIFICATION's data of RFC 4271 section 6.3", () => {
  const cases: readonly [what: string, body: Buffer, subcode: number, data: string, words: RegExp][] = [
    ["5.3: a prefix of 33 bits", update(base, "210a01010100"), 10, "", /length 33/],
    ["5.3: a prefix cut short", update(base, "180a01"), 10, "", /prefix/],
    ["3 (g): MP_REACH_NLRI twice", update([`${MP}${MP}`, origin, asPath]), 1, "", /MP_REACH_NLRI twice/],
    [
      "7.11: a next hop of 5 octets",
      update(["800e0a00020105fd0000000000", origin, asPath], ""),
      9,
      "800e0a00020105fd0000000000",
      /MP_REACH_NLRI: a next hop of 5 octets/,
    ],
    ["7.12: MP_UNREACH_NLRI of two octets", update(["800f020002"], ""), 5, "800f020002", /MP_UNREACH_NLRI/],
    ["3 (e): an unknown well-known attribute", update([...base, "40630100"]), 2, "40630100", /attribute 99/],
    ["3 (b): lengths beyond the end", Buffer.from("0000ffff", "hex"), 1, "", /path attributes/],
    [
      "5.2: a broken attribute and no route to be found",
      update(["40010103", asPath], ""),
      6,
      "40010103",
      /ORIGIN/,
    ],
  ];
  for (const [what, body, subcode, data, words] of cases) {
    test(`RFC 7606 section ${what}: 3/${subcode}`, () => {
      assert.throws(
        () => decodeUpdate(body, AS4),
        (error) => {
          assert.ok(error instanceof BgpError && error.code === 3, String(error));
          assert.deepEqual([error.subcode, error.data.toString("hex")], [subcode, data]);
          return words.test(error.message);
        },
      );
    });
  }
});

test("the end of a table, by family", () => {
  assert.equal(decodeUpdate(encodeEndOfRib("IPv4", AS4), AS4).endOfRib, "IPv4");
  assert.equal(decodeUpdate(encodeEndOfRib("IPv6", AS4), AS4).endOfRib, "IPv6");
  assert.equal(decodeUpdate(update(base), AS4).endOfRib, undefined);
});
