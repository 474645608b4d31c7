/** OPENs as other speakers may write them, and what is answered to those that are broken. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { BgpError } from "./error.ts";
import { decodeOpen } from "./open.ts";

/** Version 4, AS 65001, 90 s, 10.0.0.1; then the optional parameters. */
const FIXED = "04fde9005a0a000001";
const open = (parameters: string) => decodeOpen(Buffer.from(FIXED + parameters, "hex"));
const IPV6 = "010400020001";
const AS4 = "41040000fde9";

describe("optional parameters with long lengths (RFC 9072 section 2)", () => {
  const expected = { families: ["IPv6"], asn: 65_001 };
  const taken: readonly [what: string, parameters: string][] = [
    ["one of RFC 4271's", `0e020c${IPV6}${AS4}`],
    ["two of RFC 4271's", `100206${IPV6}0206${AS4}`],
    ["long lengths", `ffff000f02000c${IPV6}${AS4}`],
    ["long lengths, twice", `ffff0012020006${IPV6}020006${AS4}`],
    ["long lengths, where the short one is not 255: it says nothing", `01ff000f02000c${IPV6}${AS4}`],
  ];
  for (const [what, parameters] of taken) {
    test(what, () => {
      const { families, asn } = open(parameters).capabilities;
      assert.deepEqual({ families, asn }, expected);
    });
  }

  test("none at all", () => assert.deepEqual(open("00").capabilities.families, []));

  const refused: readonly [what: string, parameters: string, subcode: number][] = [
    ["a list that is longer than the message", `0f020c${IPV6}${AS4}`, 0],
    ["octets behind the list", `0e020c${IPV6}${AS4}00`, 0],
    ["a long list that is longer than the message", `ffff001002000c${IPV6}${AS4}`, 0],
    // RFC 4271 section 6.2: known and malformed has no subcode, unknown has 4.
    ["a capability cut short", "0602040104000200", 0],
    ["a capability that is too short for what it says", "050203010100", 0],
    ["a parameter that is no capability", "03010100", 4],
  ];
  for (const [what, parameters, subcode] of refused) {
    test(`refused with 2/${subcode}: ${what}`, () => {
      assert.throws(
        () => open(parameters),
        (error) => error instanceof BgpError && error.code === 2 && error.subcode === subcode,
      );
    });
  }
});

test("capabilities that nobody here has are passed over (RFC 5492 section 3)", () => {
  // ADD-PATH for IPv4 both ways, LLGR with a day, role "provider" (RFC 9234), FQDN, and a private one.
  const others = ["450400010103", "470700010180015180", "090100", "4903016100", "ef020102"];
  const all = `${others.join("")}${IPV6}${AS4}`;
  const bytes = all.length / 2;
  const size = (value: number): string => value.toString(16).padStart(2, "0");
  const { families, asn } = open(`${size(bytes + 2)}02${size(bytes)}${all}`).capabilities;
  assert.deepEqual([families, asn], [["IPv6"], 65_001]);
});
