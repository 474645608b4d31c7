import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { IndexSet } from "#controller/allocation/index-set.ts";

test("an IndexSet gives what a plain Set and a scan give", () => {
  const operation = fc.tuple(fc.constantFrom("add", "delete", "free"), fc.bigInt(0n, 2100n));
  fc.assert(
    fc.property(
      fc.constantFrom(1n, 5n, 32n, 33n, 1024n, 2000n),
      fc.array(operation, { maxLength: 300 }),
      (size, operations) => {
        const set = new IndexSet(size);
        const model = new Set<bigint>();
        for (const [what, number] of operations) {
          const index = number % size;
          if (what === "add") {
            assert.equal(set.add(index), !model.has(index));
            model.add(index);
          } else if (what === "delete") {
            assert.equal(set.delete(index), model.delete(index));
          } else {
            assert.equal(set.firstFree(index), scan(model, index, size));
          }
          assert.equal(set.has(index), model.has(index));
        }
        assert.equal(set.count, model.size);
        assert.equal(set.firstFree(), scan(model, 0n, size));
      },
    ),
  );
});

test("a full IndexSet has nothing free, and gives back what was taken out", () => {
  for (const size of [1n, 31n, 32n, 1000n, 1024n, 1025n]) {
    const set = new IndexSet(size);
    for (let index = 0n; index < size; index += 1n) assert.equal(set.add(set.firstFree() ?? -1n), true);
    assert.equal(set.firstFree(), undefined, `size ${size}`);
    set.delete(size / 2n);
    assert.equal(set.firstFree(), size / 2n);
    assert.equal(set.firstFree(size / 2n + 1n), undefined);
  }
});

test("an IndexSet of a /64 finds the first free at once, also far from its beginning", () => {
  const size = 2n ** 64n;
  const set = new IndexSet(size);
  set.add(0n);
  set.add(size - 1n);
  assert.equal(set.firstFree(), 1n);
  assert.equal(set.firstFree(2n ** 63n), 2n ** 63n);
  assert.equal(set.firstFree(size - 1n), undefined);
  assert.throws(() => set.add(size), RangeError);
});

function scan(model: ReadonlySet<bigint>, from: bigint, size: bigint): bigint | undefined {
  for (let index = from; index < size; index += 1n) if (!model.has(index)) return index;
  return undefined;
}
