import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { formatAddress, parseAddress, parseSpan } from "#api/address.ts";

const CANONICAL: readonly (readonly [string, string])[] = [
  ["192.168.0.255", "192.168.0.255"],
  ["255.255.255.255", "255.255.255.255"],
  ["FD00:0:0::1", "fd00::1"],
  ["::", "::"],
  ["::1", "::1"],
  ["1::", "1::"],
  ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
  ["1:0:0:2:0:0:0:3", "1:0:0:2::3"],
  ["::ffff:1.2.3.4", "::ffff:102:304"],
];

for (const [text, wanted] of CANONICAL) {
  test(`${text} is written ${wanted}`, () => {
    const address = parseAddress(text);
    assert.ok(address !== undefined);
    assert.equal(formatAddress(address), wanted);
  });
}

for (const text of [
  "",
  "1.2.3",
  "1.2.3.4/32",
  "01.2.3.4",
  "1.2.3.256",
  "fe80::1%eth0",
  ":::",
  "1.2.3.4 ",
  "g::1",
]) {
  test(`"${text}" is no address`, () => assert.equal(parseAddress(text), undefined));
}

test("every address survives being written and read", () => {
  fc.assert(
    fc.property(fc.bigInt(0n, 2n ** 128n - 1n), fc.boolean(), (value, isShort) => {
      const address = isShort
        ? ({ family: "IPv4", value: value % 2n ** 32n } as const)
        : ({ family: "IPv6", value: value & ((value << 64n) | (value >> 64n)) } as const);
      const clipped = { ...address, value: BigInt.asUintN(128, address.value) };
      assert.deepEqual(parseAddress(formatAddress(clipped)), clipped);
    }),
  );
});

const SPANS: readonly (readonly [string, string | undefined])[] = [
  ["10.0.0.0/30", "10.0.0.0-10.0.0.3"],
  ["10.0.0.7/24", "10.0.0.0-10.0.0.255"],
  ["10.0.0.5 - 10.0.0.9", "10.0.0.5-10.0.0.9"],
  ["0.0.0.0/0", "0.0.0.0-255.255.255.255"],
  ["fd30::/126", "fd30::-fd30::3"],
  ["fd30::1-fd30::1", "fd30::1-fd30::1"],
  ["10.0.0.9-10.0.0.5", undefined],
  ["10.0.0.1", undefined],
  ["::5-1.1.1.1", undefined],
  ["10.0.0.0/33", undefined],
  ["10.0.0.0/08", undefined],
  ["1.2.3.4-9", undefined],
  ["10.0.0.0/24-10.0.1.0/24", undefined],
];

for (const [text, wanted] of SPANS) {
  test(`range "${text}" is ${wanted ?? "refused"}`, () => {
    const span = parseSpan(text);
    const { family } = span ?? { family: "IPv4" };
    const format = (value: bigint): string => formatAddress({ family, value });
    assert.equal(span && `${format(span.first)}-${format(span.last)}`, wanted);
  });
}
