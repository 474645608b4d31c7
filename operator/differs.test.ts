import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { fingerprint, firstDifference, parseQuantity } from "#operator/differs.ts";

test("the first difference is found, and only what is wanted counts", () => {
  const cases: [string, unknown, unknown, string | undefined][] = [
    ["defaults added by the server", { a: 1 }, { a: 1, b: 2 }, undefined],
    ["a value changed", { a: { b: 1 } }, { a: { b: 2 } }, "a.b"],
    ["a field missing", { a: { b: 1 } }, {}, "a.b"],
    ["an element added", { a: [1] }, { a: [1, 2] }, "a"],
    ["an element removed", { a: [1, 2] }, { a: [1] }, "a"],
    ["the order changed", { a: [1, 2] }, { a: [2, 1] }, "a[0]"],
    ["a default inside an element", { a: [{ b: 1 }] }, { a: [{ b: 1, c: 2 }] }, undefined],
    ["an empty list for none", { a: [] }, {}, undefined],
    ["an empty map for none", { a: {} }, {}, undefined],
    ["nothing wanted of a field", { a: undefined }, { a: 1 }, undefined],
    ["a map where a value was", { a: { b: 1 } }, { a: 1 }, "a"],
    ["a quantity said otherwise", { requests: { cpu: "1000m" } }, { requests: { cpu: "1" } }, undefined],
    ["another quantity", { requests: { cpu: "1000m" } }, { requests: { cpu: "2" } }, "requests.cpu"],
    ["a text that looks like a quantity", { env: { a: "1000m" } }, { env: { a: "1" } }, "env.a"],
  ];
  for (const [name, wanted, actual, path] of cases) assert.equal(firstDifference(wanted, actual), path, name);
});

test("quantities are read as Kubernetes reads them", () => {
  const cases: [unknown, number | undefined][] = [
    ["0.5", 0.5],
    ["500m", 0.5],
    ["1e3", 1000],
    ["1k", 1000],
    ["1Ki", 1024],
    [2, 2],
    ["100M", 1e8],
    ["128974848000m", 128974848],
    ["many", undefined],
    ["", undefined],
    ["1Kii", undefined],
  ];
  for (const [text, value] of cases) assert.equal(parseQuantity(text), value, String(text));
});

test("what is equal never differs, and what is fingerprinted does not depend on the order of keys", () => {
  const seed = Number(process.env.SEED ?? 1);
  const property = fc.property(fc.jsonValue(), (value) => {
    assert.equal(firstDifference(value, structuredClone(value)), undefined);
    const reversed = JSON.parse(JSON.stringify(value), (_key, inner: unknown) =>
      typeof inner === "object" && inner !== null && !Array.isArray(inner)
        ? Object.fromEntries(Object.entries(inner).reverse())
        : inner,
    );
    assert.equal(fingerprint(reversed), fingerprint(JSON.parse(JSON.stringify(value))));
  });
  fc.assert(property, { seed, verbose: 1 });
});

test("fingerprints differ where values do", () => {
  assert.notEqual(fingerprint({ a: 1 }), fingerprint({ a: 2 }));
  assert.notEqual(fingerprint({ a: [1, 2] }), fingerprint({ a: [2, 1] }));
});
