import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { overlaps, type Range } from "#api/address.ts";
import { SpanIndex } from "#api/v1beta1/admission/spans.ts";

const range: fc.Arbitrary<Range> = fc
  .tuple(fc.constantFrom("IPv4" as const, "IPv6" as const), fc.nat(300), fc.nat(30))
  .map(([family, first, size]) => ({ family, first: BigInt(first), last: BigInt(first + size) }));
/** Owners are few, so that one has several ranges. */
const owned = fc.record({ range, owner: fc.nat(5) });

test("the lowest span that meets a range and is wanted, after any number of additions", () => {
  fc.assert(
    fc.property(
      fc.array(fc.array(owned, { maxLength: 6 }), { maxLength: 12 }),
      range,
      fc.nat(5),
      (batches, asked, unwanted) => {
        const index = new SpanIndex<number>();
        const all: { readonly range: Range; readonly owner: number }[] = [];
        for (const batch of batches) {
          index.add(batch);
          all.push(...batch);
          const met = all.filter((each) => each.owner !== unwanted && overlaps(each.range, asked));
          const found = index.find(asked, (owner) => owner !== unwanted);
          assert.equal(found === undefined, met.length === 0);
          if (found === undefined) continue;
          assert.ok(met.includes(found));
          assert.ok(met.every((each) => each.range.first >= found.range.first));
        }
      },
    ),
    { numRuns: 500 },
  );
});
