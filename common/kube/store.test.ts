import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Store } from "#common/kube/store.ts";

test("tells the key after the change, until unsubscribed", () => {
  const store = new Store<number>();
  const seen: [string, number | undefined][] = [];
  const cancel = store.subscribe((key) => seen.push([key, store.get(key)]));
  store.set("a", 1);
  store.set("a", 2);
  assert.equal(store.delete("a"), true);
  assert.equal(store.delete("a"), false);
  cancel();
  store.set("b", 1);
  assert.deepEqual(seen, [
    ["a", 1],
    ["a", 2],
    ["a", undefined],
  ]);
});

test("an index always equals a scan, whatever was set and deleted, before and after it was added", () => {
  const step = fc.record({
    key: fc.constantFrom("a", "b", "c"),
    terms: fc.option(fc.uniqueArray(fc.constantFrom("x", "y", "z"))),
  });
  fc.assert(
    fc.property(fc.array(step), fc.nat(20), (steps, addAt) => {
      const store = new Store<string[]>();
      let index = addAt === 0 ? store.addIndex((terms) => terms) : undefined;
      for (const [at, { key, terms }] of steps.entries()) {
        if (at === addAt) index ??= store.addIndex((value) => value);
        if (terms === null) store.delete(key);
        else store.set(key, terms);
      }
      index ??= store.addIndex((terms) => terms);
      for (const term of ["x", "y", "z"]) {
        const scan = [...store.entries()].filter(([, terms]) => terms.includes(term)).map(([key]) => key);
        assert.deepEqual(index.keys(term).sort(), scan.sort());
        assert.equal(index.get(term).length, scan.length);
      }
    }),
  );
});
