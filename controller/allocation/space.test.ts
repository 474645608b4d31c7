import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseAddress, parseRange } from "#api/address.ts";
import { BUGGY, NOTHING, Skip, subnetRouters } from "#controller/allocation/skip.ts";
import { AddressSpace, mergeSpans, type Span } from "#controller/allocation/space.ts";

const span = fc
  .tuple(fc.bigInt(0n, 3000n), fc.bigInt(0n, 700n))
  .map(([first, length]): Span => ({ first, last: first + length }));

/** Of each block of 4, 16, 64, ... the first; the blocks of SubnetRouter in small, and what avoidBuggyIPs leaves out. */
const SKIPS = [NOTHING, BUGGY, ...[2, 4, 8].map((bits) => new Skip("SubnetRouter", bits, 1, 0))];
const skipping = fc
  .tuple(span, fc.constantFrom(...SKIPS))
  .map(([each, skip]): Required<Span> => ({ ...each, skip }));

test("an AddressSpace numbers exactly its addresses, in order, whatever each span leaves out", () => {
  fc.assert(
    fc.property(fc.array(skipping, { maxLength: 6 }), (spans) => {
      const space = new AddressSpace(spans);
      // Where two overlap, the one that begins first decides.
      const sorted = spans.toSorted((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : 0));
      const wanted: bigint[] = [];
      for (let address = 0n; address <= 3800n; address += 1n) {
        const skip = sorted.find((each) => each.first <= address && address <= each.last)?.skip;
        if (skip?.has(address) === false) wanted.push(address);
        else assert.equal(space.indexOf(address), undefined, `address ${address}`);
        assert.equal(space.leftOut(address), skip?.has(address) === true ? skip.why : undefined);
      }
      assert.equal(space.size, BigInt(wanted.length));
      for (const [index, address] of wanted.entries()) {
        assert.equal(space.addressAt(BigInt(index)), address);
        assert.equal(space.indexOf(address), BigInt(index));
      }
      assert.throws(() => space.addressAt(space.size), RangeError);
      assert.throws(() => space.addressAt(-1n), RangeError);
    }),
  );
});

test("avoidBuggyIPs leaves out what ends in .0 or .255", () => {
  for (let address = 0n; address < 1024n; address += 1n) {
    assert.equal(BUGGY.has(address), [0n, 255n].includes(address % 256n), String(address));
  }
});

/** Text of a range, the first addresses that it gives, how many, and some that it leaves out. */
const SIX: readonly (readonly [string, readonly string[], bigint, readonly string[]])[] = [
  ["fd00::/64", ["fd00::1", "fd00::2"], 2n ** 64n - 1n, ["fd00::"]],
  ["fd00::100/120", ["fd00::101", "fd00::102"], 255n, ["fd00::100"]],
  ["fd00::4/126", ["fd00::5", "fd00::6"], 3n, ["fd00::4"]],
  ["fd00::4/127", ["fd00::4", "fd00::5"], 2n, []],
  ["fd00::/127", ["fd00::", "fd00::1"], 2n, []],
  ["fd00::/128", ["fd00::"], 1n, []],
  ["fd00::/48", ["fd00::1"], 2n ** 80n - 2n ** 16n, ["fd00::", "fd00:0:0:1::", "fd00:0:0:ffff::"]],
  ["fd00::-fd00::ff", ["fd00::1"], 255n, ["fd00::"]],
  ["fd00::100-fd00::1ff", ["fd00::100"], 256n, []],
  ["fd00::fffe-fd00:0:0:1::1", ["fd00::fffe"], 2n ** 64n - 0xfffen + 1n, ["fd00:0:0:1::"]],
  ["fd00::-fd00::", ["fd00::"], 1n, []],
];

for (const [text, given, size, leftOut] of SIX) {
  test(`${text} leaves out its subnet-router anycast addresses`, () => {
    const range = parseRange(text);
    const space = new AddressSpace([{ ...range, skip: subnetRouters(range, text) }]);
    const numberOf = (address: string): bigint => parseAddress(address)?.value ?? -1n;
    assert.equal(space.size, size);
    for (const [index, address] of given.entries()) {
      assert.equal(space.addressAt(BigInt(index)), numberOf(address));
    }
    assert.equal(space.indexOf(range.last), size - 1n);
    for (const address of leftOut) {
      assert.equal(space.indexOf(numberOf(address)), undefined);
      assert.equal(space.leftOut(numberOf(address)), "SubnetRouter");
    }
  });
}

test("merged spans do not touch each other", () => {
  fc.assert(
    fc.property(fc.array(span, { maxLength: 10 }), (spans) => {
      const merged = mergeSpans(spans);
      for (const [at, each] of merged.entries()) {
        const next = merged[at + 1];
        if (next !== undefined) assert.ok(each.last + 1n < next.first);
      }
    }),
  );
});

test("a space of one buggy address has nothing to give, and still says why", () => {
  const alone = new AddressSpace([{ first: 256n, last: 256n, skip: BUGGY }]);
  assert.deepEqual([alone.size, alone.leftOut(256n), alone.leftOut(257n)], [0n, "Buggy", undefined]);
  const three = new AddressSpace([{ first: 255n, last: 257n, skip: BUGGY }]);
  assert.deepEqual([three.size, three.addressAt(0n)], [1n, 257n]);
});

test("a /64 is numbered without being expanded", () => {
  const first = 0xfd30n << 112n;
  const space = new AddressSpace([{ first, last: first + 2n ** 64n - 1n }]);
  assert.equal(space.size, 2n ** 64n);
  assert.equal(space.addressAt(2n ** 63n), first + 2n ** 63n);
  assert.equal(space.indexOf(first + 5n), 5n);
});
