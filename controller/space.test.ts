import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { AddressSpace, isBuggy, mergeSpans, type Span } from "#controller/space.ts";

const span = fc
  .tuple(fc.bigInt(0n, 3000n), fc.bigInt(0n, 700n))
  .map(([first, length]): Span => ({ first, last: first + length }));

test("an AddressSpace numbers exactly its addresses, in order, with and without buggy ones", () => {
  fc.assert(
    fc.property(fc.array(span, { maxLength: 6 }), fc.boolean(), (spans, skipsBuggy) => {
      const space = new AddressSpace(spans, skipsBuggy);
      const wanted: bigint[] = [];
      for (let address = 0n; address <= 3800n; address += 1n) {
        const isIn = spans.some((each) => each.first <= address && address <= each.last);
        if (isIn && !(skipsBuggy && isBuggy(address))) wanted.push(address);
        else assert.equal(space.indexOf(address), undefined, `address ${address}`);
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

test("a space of one buggy address has nothing to give", () => {
  assert.equal(new AddressSpace([{ first: 256n, last: 256n }], true).size, 0n);
  assert.equal(new AddressSpace([{ first: 255n, last: 257n }], true).size, 1n);
  assert.equal(new AddressSpace([{ first: 255n, last: 257n }], true).addressAt(0n), 257n);
});

test("a /64 is numbered without being expanded", () => {
  const first = 0xfd30n << 112n;
  const space = new AddressSpace([{ first, last: first + 2n ** 64n - 1n }]);
  assert.equal(space.size, 2n ** 64n);
  assert.equal(space.addressAt(2n ** 63n), first + 2n ** 63n);
  assert.equal(space.indexOf(first + 5n), 5n);
});
