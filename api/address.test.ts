import assert from "node:assert/strict";
import { isIP } from "node:net";
import { test } from "node:test";
import { mergeCidr, overlapCidr, parseCidr } from "cidr-tools";
import fc from "fast-check";
import {
  AddressError,
  countOf,
  familyOf,
  formatAddress,
  formatPrefix,
  formatRange,
  mergeRanges,
  overlaps,
  parseAddress,
  parseLinkAddress,
  parsePrefix,
  parseRange,
  prefixesOf,
  type Range,
  WIDTH,
} from "#api/address.ts";

const address = fc.oneof(
  fc.record({ family: fc.constant("IPv4" as const), value: fc.bigInt({ min: 0n, max: 2n ** 32n - 1n }) }),
  fc
    .record({ family: fc.constant("IPv6" as const), value: fc.bigInt({ min: 0n, max: 2n ** 128n - 1n }) })
    .filter(({ value }) => value >> 32n !== 0xffffn),
);

test("addresses are read", () => {
  for (const [text, canonical] of [
    ["192.0.2.1", "192.0.2.1"],
    ["255.255.255.255", "255.255.255.255"],
    ["FD30:0::00C8", "fd30::c8"],
    ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
    ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
    ["::", "::"],
    ["::1", "::1"],
    ["fe80::", "fe80::"],
    ["64:ff9b::192.0.2.33", "64:ff9b::c000:221"],
  ] as const) {
    const read = parseAddress(text);
    assert.ok(read, text);
    assert.equal(formatAddress(read), canonical);
  }
});

test("what is not exactly one address is not read", () => {
  for (const text of [
    "",
    "1.2.3",
    "1.2.3.256",
    "01.2.3.4",
    " 1.2.3.4",
    "1.2.3.4/32",
    "fe80::1%eth0",
    "::ffff:1.2.3.4",
  ]) {
    assert.equal(parseAddress(text), undefined, text);
  }
  assert.equal(parseAddress("0".repeat(1_000_000)), undefined);
});

test("text and value: round trip, and the text is the one that URLs have", () => {
  fc.assert(
    fc.property(address, (each) => {
      const text = formatAddress(each);
      assert.deepEqual(parseAddress(text), { ...each });
      assert.equal(isIP(text), each.family === "IPv4" ? 4 : 6);
      // The URL standard asks for RFC 5952, too, and its writer is Node's own.
      const host = each.family === "IPv4" ? text : `[${text}]`;
      assert.equal(new URL(`http://${host}/`).hostname, host);
    }),
    { numRuns: 2_000 },
  );
});

/** One of the spellings that inet_pton takes: `::` for any run of zeros, or none; upper case; zeros before; dots. */
const spelling = fc
  .record({
    groups: fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff })), {
      minLength: 8,
      maxLength: 8,
    }),
    start: fc.nat(7),
    length: fc.nat(8),
    isUpper: fc.boolean(),
    width: fc.integer({ min: 1, max: 4 }),
    isDotted: fc.boolean(),
  })
  .map(({ groups, start, length, isUpper, width, isDotted }) => {
    const value = BigInt(`0x${groups.map((group) => group.toString(16).padStart(4, "0")).join("")}`);
    const [high = 0, low = 0] = groups.slice(6);
    const hex = groups.map((group) => group.toString(16).padStart(width, "0"));
    const parts = isDotted
      ? [...hex.slice(0, 6), [high >> 8, high & 255, low >> 8, low & 255].join(".")]
      : hex;
    const end = Math.min(start + length, isDotted ? 6 : 8);
    const isRun = end > start && groups.slice(start, end).every((group) => group === 0);
    const text = isRun
      ? `${parts.slice(0, start).join(":")}::${parts.slice(end).join(":")}`
      : parts.join(":");
    return { text: isUpper ? text.toUpperCase() : text, value };
  });

test("every spelling of an IPv6 address has its value", () => {
  fc.assert(
    fc.property(spelling, ({ text, value }) => {
      assert.equal(isIP(text), 6, text);
      const isMapped = value >> 32n === 0xffffn;
      assert.deepEqual(parseAddress(text), isMapped ? undefined : { family: "IPv6", value }, text);
    }),
    { numRuns: 5_000 },
  );
});

test("prefixes, overlap and merging are what cidr-tools makes of them, where it is right", () => {
  const prefix = fc
    .tuple(address, fc.integer({ min: 1, max: 32 }))
    .map(([{ family, value }, length]) =>
      family === "IPv4"
        ? `${formatAddress({ family, value: value & 0xff03_00ffn })}/${length}`
        : `${formatAddress({ family, value: value & 0x3_0000_0000_0000_00ffn })}/${length + 96}`,
    );
  fc.assert(
    fc.property(fc.array(prefix, { minLength: 1, maxLength: 8 }), (texts) => {
      for (const text of texts) {
        const { start, end } = parseCidr(text);
        const { first, last } = parseRange(text);
        assert.deepEqual([first, last], [start, end], text);
        assert.equal(
          overlaps(parseRange(text), parseRange(texts[0] ?? text)),
          overlapCidr(text, texts[0] ?? text),
        );
      }
      const merged = mergeRanges(texts.map(parseRange)).flatMap(prefixesOf).map(formatPrefix);
      assert.deepEqual(merged.sort(), mergeCidr(texts).sort());
    }),
    { numRuns: 500 },
  );
});

test("the address of a link, with and without the length of its network", () => {
  const texts = ["10.0.0.1/24", "10.0.0.1", "fd00::1/64", "10.0.0.1/anything", "/24", "10.0.0.1-/24"];
  const found = texts.map((text) => parseLinkAddress(text)).map((one) => one && formatAddress(one));
  assert.deepEqual(found, ["10.0.0.1", "10.0.0.1", "fd00::1", "10.0.0.1", undefined, undefined]);
});

test("ranges are read, host bits masked", () => {
  for (const [text, canonical, count] of [
    ["192.168.10.0/24", "192.168.10.0/24", 256n],
    ["1.2.3.4/24", "1.2.3.0/24", 256n],
    ["10.0.0.5-10.0.0.9", "10.0.0.5-10.0.0.9", 5n],
    ["10.0.0.0  -  10.0.0.255", "10.0.0.0/24", 256n],
    ["10.0.0.5-10.0.0.5", "10.0.0.5/32", 1n],
    ["0.0.0.0/0", "0.0.0.0/0", 2n ** 32n],
    ["fd30:0::200-fd30::2ff", "fd30::200/120", 256n],
    ["::/0", "::/0", 2n ** 128n],
  ] as const) {
    const range = parseRange(text);
    assert.equal(formatRange(range), canonical);
    assert.equal(countOf(range), count);
  }
});

test("a range that cannot be meant is refused with the reason", () => {
  for (const [text, rule] of [
    ["10.0.0.1", /bare address: write 10\.0\.0\.1\/32/],
    ["fd00::1", /bare address: write fd00::1\/128/],
    ["10.0.0.9-10.0.0.5", /reversed/],
    ["10.0.0.9-fd00::1", /mixes families/],
    ["fd00::1-10.0.0.9", /mixes families/],
    ["1.2.3.4-9", /"9" is not an address/],
    ["10.0.0.0/33", /no prefix length of IPv4 \(0 to 32\)/],
    ["10.0.0.0/08", /no prefix length/],
    ["10.0.0.0/", /no prefix length/],
    ["10.0.0.0/8-10.0.0.9", /is not an address/],
    ["fd00::/129", /0 to 128/],
    ["abc", /neither/],
    ["", /neither/],
    [" 10.0.0.0/24", /is not an address/],
  ] as const) {
    assert.throws(
      () => parseRange(text),
      (error) => error instanceof AddressError && rule.test(error.rule),
      text,
    );
  }
  assert.throws(() => parsePrefix("10.0.0.0"), AddressError);
});

const range: fc.Arbitrary<Range> = fc
  .tuple(
    fc.constantFrom("IPv4" as const, "IPv6" as const),
    fc.bigInt({ min: 0n, max: 4000n }),
    fc.bigInt({ min: 0n, max: 600n }),
  )
  .map(([family, first, size]) => ({ family, first, last: first + size }));

test("prefixes of a range cover it exactly, without a gap", () => {
  fc.assert(
    fc.property(range, (each) => {
      let next = each.first;
      for (const prefix of prefixesOf(each)) {
        assert.equal(prefix.value, next);
        next += 1n << BigInt(WIDTH[each.family] - prefix.length);
      }
      assert.equal(next, each.last + 1n);
    }),
  );
  assert.equal(prefixesOf({ family: "IPv6", first: 0n, last: 2n ** 128n - 1n }).length, 1);
});

test("merged ranges hold the same addresses and do not touch", () => {
  fc.assert(
    fc.property(fc.array(range, { maxLength: 8 }), (ranges) => {
      const merged = mergeRanges(ranges);
      for (const [index, a] of merged.entries()) {
        for (const b of merged.slice(index + 1)) {
          assert.ok(a.family !== b.family || a.last + 1n < b.first);
          assert.ok(!overlaps(a, b));
        }
      }
      const all = new Set<string>();
      for (const each of ranges)
        for (let at = each.first; at <= each.last; at += 1n) all.add(`${each.family}${at}`);
      assert.equal(
        BigInt(all.size),
        merged.reduce((sum, each) => sum + countOf(each), 0n),
      );
    }),
  );
});

test("the family of an address or a prefix", () => {
  const texts = ["192.0.2.1", "192.0.2.0/24", "2001:db8::1", "::ffff:192.0.2.1/128", "::"];
  assert.deepEqual(texts.map(familyOf), ["IPv4", "IPv4", "IPv6", "IPv6", "IPv6"]);
});

test("random text only ever ends in AddressError", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom(..."0123456789abcdef.:/- %xg"), maxLength: 60 }),
      (text) => {
        try {
          assert.ok(countOf(parseRange(text)) > 0n);
        } catch (error) {
          assert.ok(error instanceof AddressError, String(error));
        }
      },
    ),
  );
});
