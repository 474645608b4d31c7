import assert from "node:assert/strict";
import { test } from "node:test";
import { hasLabels, selects, selectsAny } from "./selector.ts";

test("label selectors", () => {
  const expression = (operator: string, values?: string[]) => ({
    matchExpressions: [{ key: "a", operator, ...(values === undefined ? {} : { values }) }],
  });
  const cases: readonly [
    selector: Parameters<typeof selects>[0],
    labels: Record<string, string>,
    is: boolean,
  ][] = [
    [{}, {}, true],
    [{ matchLabels: { a: "1" } }, { a: "1", b: "2" }, true],
    [{ matchLabels: { a: "1" } }, { a: "2" }, false],
    [expression("In", ["1", "2"]), { a: "2" }, true],
    [expression("In", ["1"]), {}, false],
    [expression("NotIn", ["1"]), {}, true],
    [expression("NotIn", ["1"]), { a: "1" }, false],
    [expression("Exists"), { a: "" }, true],
    [expression("DoesNotExist"), { a: "" }, false],
    [expression("Gt", ["1"]), { a: "2" }, false],
  ];
  for (const [selector, labels, is] of cases)
    assert.equal(selects(selector, labels), is, JSON.stringify(selector));
});

test("of several selectors one is enough, and none at all select everything", () => {
  const [a, b] = [{ matchLabels: { a: "1" } }, { matchLabels: { b: "1" } }];
  assert.equal(selectsAny([a, b], { b: "1" }), true);
  assert.equal(selectsAny([a, b], { c: "1" }), false);
  assert.equal(selectsAny([], { c: "1" }), true);
});

for (const key of ["constructor", "toString", "__proto__", "hasOwnProperty"]) {
  test(`a label may be called ${key}, and is there only where it was put`, () => {
    const expression = (operator: string) => ({ matchExpressions: [{ key, operator }] });
    const labels = JSON.parse(`{"${key}":"x"}`) as Record<string, string>;
    assert.equal(selects(expression("Exists"), {}), false);
    assert.equal(selects(expression("DoesNotExist"), {}), true);
    assert.equal(selects(expression("Exists"), labels), true);
    assert.equal(hasLabels(labels, labels), true);
    assert.equal(hasLabels({}, labels), false);
  });
}
