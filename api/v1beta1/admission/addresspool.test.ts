import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { formatRange, overlaps, parseRange, type Range } from "#api/address.ts";
import { Reserved } from "#api/reserved.ts";
import { noOverlapWithOthers } from "#api/v1beta1/admission/addresspool.ts";
import { warningsOf } from "#api/v1beta1/admission/judge.ts";
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
        found.map(({ message }) => message.split(" ")[0]),
        expected.map(formatRange),
      );
      for (const { message } of found) {
        const [, mineText = "", theirText = ""] = /^(\S+) overlaps (\S+) of AddressPool/.exec(message) ?? [];
        assert.ok(overlaps(parseRange(mineText), parseRange(theirText)), message);
      }
    }),
    { numRuns: 500 },
  );
});

test("addresses that the cluster itself uses are warned of, with who uses them", () => {
  const nodes = Array.from({ length: 5 }, (_, at) => ({ addresses: [`10.0.0.${2 * at}`], podCIDRs: [] }));
  const reserved = new Reserved([...nodes, { addresses: [], podCIDRs: ["10.1.0.0/24"] }], ["fd00::/112"]);
  const spec = {
    protocol: "layer2",
    addresses: ["10.0.0.0/24", "10.1.0.128-10.1.1.9", "fd00::5/128", "10.2.0.0/24"],
  };
  const it = { kind: "AddressPool", metadata: { name: "it" }, spec } as AddressPool & { kind: string };
  assert.deepEqual(warningsOf(it, { ...emptyView("n"), reserved }), [
    "spec.addresses[0]: of 10.0.0.0/24 these are given to nobody: 10.0.0.0 (it is a Node's own address), 10.0.0.2 (it is a Node's own address), 10.0.0.4 (it is a Node's own address), and 2 more",
    "spec.addresses[1]: of 10.1.0.128-10.1.1.9 these are given to nobody: 10.1.0.128/25 (it is in a Node's Pod range)",
    "spec.addresses[2]: of fd00::5/128 these are given to nobody: fd00::5 (it is in the cluster's Service range)",
  ]);
  assert.deepEqual(warningsOf(it, emptyView("n")), []);
});
