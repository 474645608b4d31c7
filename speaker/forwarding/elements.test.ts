import assert from "node:assert/strict";
import { test } from "node:test";
import { addressKey, admittedSet, markValue, named, portKey, sourceKey } from "./elements.ts";

const KEYS: readonly [what: string, actual: string, wanted: string][] = [
  ["an IPv4 address", addressKey("10.0.0.1"), "0a000001"],
  ["an IPv6 address", addressKey("fd00::1"), "fd000000000000000000000000000001"],
  [
    "a TCP port: each part padded to 4 bytes",
    portKey("10.0.0.1", "TCP", 80),
    "0a000001" + "06000000" + "00500000",
  ],
  ["a UDP port", portKey("10.0.0.1", "UDP", 53), "0a000001" + "11000000" + "00350000"],
  ["an SCTP port", portKey("10.0.0.1", "SCTP", 65_535), "0a000001" + "84000000" + "ffff0000"],
  ["an IPv4 source at a port", sourceKey("10.0.0.1", 80, 0x0a01n), "0a000001" + "00500000" + "00000a01"],
  [
    "an IPv6 source at a port",
    sourceKey("fd00::1", 53, 0x0a01n),
    "fd000000000000000000000000000001" + "00350000" + "00000000000000000000000000000a01",
  ],
  ["a set of admitted sources", named(admittedSet("SCTP"), "IPv6"), "admitted_sctp6"],
  ["a mark in the machine's byte order", markValue(0x12345678), "78563412"],
  ["a set of IPv6", named("ports", "IPv6"), "ports6"],
  ["a set of IPv4", named("ports", "IPv4"), "ports4"],
];
for (const [what, actual, wanted] of KEYS) {
  test(what, () => {
    assert.equal(actual, wanted);
  });
}
