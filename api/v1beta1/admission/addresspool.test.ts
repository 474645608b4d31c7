import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { formatRange, overlaps, parseRange, type Range } from "#api/address.ts";
import { noOverlapWithOthers } from "#api/v1beta1/admission/addresspool.ts";
import { emptyView } from "#api/v1beta1/admission/view.ts";
import type { AddressPool } from "#api/v1beta1/generated/types.ts";

const range: fc.Arbitrary<Range> = fc
  .tuple(fc.constantFrom("IPv4" as const, "IPv6" as const), fc.nat(300), fc.nat(40))
  .map(([family, first, size]) => ({ family, first: BigInt(first), last: BigInt(first + size) }));
const ranges = fc.array(range, { minLength: 1, maxLength: 12 });

const pool = (name: string, list: readonly Range[]): AddressPool =>
  ({ metadata: { name }, spec: { protocol: "layer2", addresses: list.map(formatRange) } }) as AddressPool;

test("an overlap with another pool is found where there is one, whatever lies between", () => {
  fc.assert(
    fc.property(ranges, fc.array(ranges, { maxLength: 4 }), (mine, theirs) => {
      const pools = theirs.map((list, at) => pool(`other-${at}`, list));
      const found = noOverlapWithOthers(pool("it", mine), { ...emptyView("n"), pools });
      const expected = mine.filter((one) => theirs.flat().some((other) => overlaps(one, other)));
      assert.deepEqual(
        found.map(({ message }) => message.split(" ")[1]),
        expected.map(formatRange),
      );
      for (const { message } of found) {
        const [, mineText = "", theirText = ""] = /: (\S+) overlaps (\S+) of AddressPool/.exec(message) ?? [];
        assert.ok(overlaps(parseRange(mineText), parseRange(theirText)), message);
      }
    }),
    { numRuns: 500 },
  );
});
