import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Measure, measure } from "#controller/webhook/measure.ts";

/** Counted in the value itself. */
function counted(value: unknown): Measure {
  if (typeof value !== "object" || value === null) return { values: 1, depth: 0 };
  const members = Object.values(value).map(counted);
  return {
    values: members.reduce((sum, { values }) => sum + values, 1),
    depth: 1 + Math.max(0, ...members.map(({ depth }) => depth)),
  };
}

test("no value is missed, no level is missed or made up, whatever strings hold", () => {
  const tree = fc.jsonValue({ maxDepth: 5, noUnicodeString: false, stringUnit: "grapheme" });
  fc.assert(
    fc.property(fc.oneof(tree, fc.array(fc.constantFrom('"', "\\", '\\"', "[,{", "é,"))), (value) => {
      const found = measure(Buffer.from(JSON.stringify(value)));
      const truth = counted(value);
      assert.equal(found.depth, truth.depth);
      assert.ok(found.values >= truth.values && found.values <= 2 * truth.values, JSON.stringify(found));
    }),
    { numRuns: 500 },
  );
});

test("what is no JSON is measured too", () => {
  assert.deepEqual(measure(Buffer.from("")), { values: 1, depth: 0 });
  assert.deepEqual(measure(Buffer.from('["a')), { values: 2, depth: 1 });
  assert.deepEqual(measure(Buffer.from("]]],")), { values: 2, depth: 0 });
});
