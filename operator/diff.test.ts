import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { DuplicateKeyError, difference, isEmpty } from "#operator/diff.ts";

type Thing = { readonly key: string; readonly value: number };

const things = fc.uniqueArray(
  fc.record({ key: fc.string({ maxLength: 2 }), value: fc.nat(3) }, { noNullPrototype: true }),
  {
    selector: ({ key }) => key,
  },
);

function diff(wanted: readonly Thing[], actual: readonly Thing[]) {
  return difference<Thing, Thing, number>({
    wanted,
    actual,
    wantedKey: ({ key }) => key,
    actualKey: ({ key }) => key,
    change: (a, b) => (a.value === b.value ? undefined : a.value - b.value),
  });
}

/** What a kernel or API server would hold after the changes. */
function applied(actual: readonly Thing[], changes: ReturnType<typeof diff>): Thing[] {
  const left = actual.filter((thing) => !changes.remove.includes(thing));
  const updated = left.map(
    (thing) => changes.update.find((update) => update.actual === thing)?.wanted ?? thing,
  );
  return [...updated, ...changes.create];
}

const sorted = (list: readonly Thing[]): Thing[] => [...list].sort((a, b) => (a.key < b.key ? -1 : 1));

test("applying the difference gives what is wanted, and then nothing is left to do", () => {
  fc.assert(
    fc.property(things, things, (wanted, actual) => {
      const after = applied(actual, diff(wanted, actual));
      assert.deepEqual(sorted(after), sorted(wanted));
      const again = diff(wanted, after);
      assert.ok(isEmpty(again));
      assert.equal(again.same, wanted.length);
    }),
  );
});

test("what is there twice is kept once", () => {
  const thing = { key: "a", value: 1 };
  const copy = { key: "a", value: 1 };
  assert.deepEqual(diff([thing], [thing, copy]), { create: [], update: [], remove: [copy], same: 1 });
});

test("a plan that wants a key twice is refused", () => {
  assert.throws(
    () =>
      diff(
        [
          { key: "a", value: 1 },
          { key: "a", value: 2 },
        ],
        [],
      ),
    (error) => error instanceof DuplicateKeyError && error.key === "a",
  );
});
