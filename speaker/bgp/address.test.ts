import assert from "node:assert/strict";
import { test } from "node:test";
import { familyOf } from "#api/address.ts";
import { canonicalAddress } from "./address.ts";

const cases: readonly [text: string, expected: string, family: string][] = [
  ["10.0.0.1", "10.0.0.1", "IPv4"],
  ["FD00:0:0::0001", "fd00::1", "IPv6"],
  ["fd00:0000:0000:0000:0000:0000:0000:0001", "fd00::1", "IPv6"],
  ["::ffff:a00:1", "10.0.0.1", "IPv4"],
  ["::FFFF:10.0.0.1", "10.0.0.1", "IPv4"],
  ["0:0:0:0:0:ffff:0a00:0001", "10.0.0.1", "IPv4"],
  ["::a00:1", "::a00:1", "IPv6"],
  ["fe80::1%eth0", "fe80::1%eth0", "IPv6"],
  ["router", "router", "IPv4"],
];
for (const [text, expected, family] of cases) {
  test(text, () => {
    assert.equal(canonicalAddress(text), expected);
    assert.equal(familyOf(canonicalAddress(text)), family);
  });
}
