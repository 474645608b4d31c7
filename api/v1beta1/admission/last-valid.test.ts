import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { LastValid } from "#api/v1beta1/admission/last-valid.ts";
import { fault, faultText } from "#api/v1beta1/fault.ts";

interface Thing {
  readonly metadata: { readonly name: string; readonly uid: string; readonly creationTimestamp: string };
  readonly spec: { readonly seat: number };
}

const thing = (name: string, seat: number, age = 0): Thing => ({
  metadata: { name, uid: `uid-${name}`, creationTimestamp: `2026-01-0${9 - age}T00:00:00Z` },
  spec: { seat },
});

/** One thing in each seat; seat 0 is no seat. */
const judge = (): LastValid<Thing> =>
  new LastValid(({ spec }, others) => {
    if (spec.seat === 0) return [fault("spec.seat", "0 is no seat")];
    const other = others.find((each) => each.spec.seat === spec.seat);
    return other === undefined ? [] : [fault("spec.seat", `taken by ${other.metadata.name}`)];
  });

const seats = (standings: ReturnType<LastValid<Thing>["judge"]>): Record<string, number | undefined> =>
  Object.fromEntries(standings.map(({ object, effective }) => [object.metadata.name, effective?.spec.seat]));
const words = (standings: ReturnType<LastValid<Thing>["judge"]>): Record<string, string | undefined> =>
  Object.fromEntries(
    standings.map(({ object, faults }) => [object.metadata.name, faults[0] && faultText(faults[0])]),
  );

test("the oldest has the seat; the other never had one", () => {
  const standings = judge().judge([thing("young", 1), thing("old", 1, 3)]);
  assert.deepEqual(seats(standings), { old: 1, young: undefined });
  assert.deepEqual(words(standings), { old: undefined, young: "spec.seat: taken by old" });
});

test("a refused change leaves the last valid configuration, as long as that fits", () => {
  const last = judge();
  last.judge([thing("a", 1, 1), thing("b", 2, 2)]);
  assert.deepEqual(seats(last.judge([thing("a", 0, 1), thing("b", 2, 2)])), { b: 2, a: 1 });
  assert.deepEqual(seats(last.judge([thing("a", 2, 1), thing("b", 2, 2)])), { b: 2, a: 1 });
  // Made anew under its old name it has no past.
  const again = { ...thing("a", 2, 1), metadata: { ...thing("a", 2, 1).metadata, uid: "other" } };
  assert.deepEqual(seats(last.judge([again, thing("b", 2, 2)])), { b: 2, a: undefined });
});

test("what was accepted stays before what is new, however old that says it is", () => {
  const last = judge();
  last.judge([thing("a", 1)]);
  assert.deepEqual(seats(last.judge([thing("a", 1), thing("older", 1, 5)])), { a: 1, older: undefined });
});

test("never two in a seat, and the order in which objects come does not matter", () => {
  const list = fc.uniqueArray(
    fc.record({ name: fc.constantFrom(..."abcdef"), seat: fc.nat(4), age: fc.nat(8) }),
    { selector: ({ name }) => name },
  );
  fc.assert(
    fc.property(fc.array(list, { minLength: 1, maxLength: 5 }), (rounds) => {
      const [one, other] = [judge(), judge()];
      for (const round of rounds) {
        const things = round.map(({ name, seat, age }) => thing(name, seat, age));
        const found = seats(one.judge(things));
        const taken = Object.values(found).filter((seat) => seat !== undefined);
        assert.equal(new Set(taken).size, taken.length);
        assert.deepEqual(seats(other.judge(things.toReversed())), found);
      }
    }),
  );
});

test("an object that the rules cannot read is refused alone, and goes on as it was", () => {
  const last = judge();
  last.judge([thing("a", 1, 1), thing("b", 2, 2)]);
  const odd = { ...thing("a", 1, 1), spec: null } as unknown as Thing;
  const standings = last.judge([odd, thing("b", 2, 2), { ...odd, metadata: thing("c", 3).metadata }]);
  assert.deepEqual(seats(standings), { b: 2, a: 1, c: undefined });
  assert.match(words(standings).c ?? "", /cannot be read/);
});
