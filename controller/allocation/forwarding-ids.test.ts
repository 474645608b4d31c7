import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { ForwardingIds } from "#api/forwarding-ids.ts";
import { IdSet, idKeys } from "#controller/allocation/forwarding-ids.ts";

test("keys are every port of every family, sorted", () => {
  assert.deepEqual(idKeys(["IPv6", "IPv4"], ["TCP/80", "UDP/53"]), [
    "IPv4/TCP/80",
    "IPv4/UDP/53",
    "IPv6/TCP/80",
    "IPv6/UDP/53",
  ]);
});

test("present ids are kept, those in use are replaced, new ones are above all that were given", () => {
  const ids = new IdSet();
  ids.take({ other: 5 });
  assert.deepEqual(ids.choose(["a", "b", "c"], { a: 5, b: 9, d: 11 }), { a: 6, b: 9, c: 7 });
});

test("one id is not given to two keys of one Service", () => {
  const chosen = new IdSet().choose(["a", "b"], { a: 1, b: 1 });
  assert.equal(chosen.a, 1);
  assert.notEqual(chosen.b, 1);
});

test("a freed id comes back only after all others", () => {
  const ids = new IdSet(4);
  ids.take({ a: 1, b: 2 });
  ids.release({ a: 1 });
  assert.deepEqual(ids.choose(["x"], {}), { x: 3 });
  ids.take({ x: 3, y: 4 });
  assert.deepEqual(ids.choose(["z", "full"], {}), { z: 1 });
});

test("no id is ever with two Services, and an unchanged Service keeps its ids", () => {
  const service = fc.constantFrom("s1", "s2", "s3", "s4");
  const ports = fc.uniqueArray(fc.constantFrom("a", "b", "c"), { maxLength: 3 });
  const claimed = fc.dictionary(fc.constantFrom("a", "b", "c"), fc.integer({ min: 1, max: 8 }));
  fc.assert(
    fc.property(fc.array(fc.tuple(service, ports, claimed), { maxLength: 40 }), (steps) => {
      const ids = new IdSet(12);
      const held = new Map<string, ForwardingIds>();
      for (const [name, keys, claims] of steps) {
        const before = held.get(name) ?? {};
        ids.release(before);
        const after = ids.choose(keys, held.has(name) ? before : claims);
        ids.take(after);
        held.set(name, after);
        for (const key of keys) if (before[key] !== undefined) assert.equal(after[key], before[key]);
        const all = [...held.values()].flatMap((each) => Object.values(each));
        assert.equal(new Set(all).size, all.length);
        assert.equal(ids.count, all.length);
        assert.equal(Object.keys(after).length, keys.length);
      }
    }),
  );
});
