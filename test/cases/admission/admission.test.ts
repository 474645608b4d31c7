/** Every case of admission in process: the very messages, in their order. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { judge } from "#api/v1beta1/admission/judge.ts";
import { inactiveWords } from "#api/v1beta1/unsupported.ts";
import { readCases, viewOf } from "./cases.ts";

const cases = await readCases();
const MANY = 150;

test(`there are at least ${MANY} cases, no two of one name`, () => {
  assert.ok(cases.length >= MANY, String(cases.length));
  assert.equal(new Set(cases.map(({ name }) => name)).size, cases.length);
});

for (const each of cases) {
  const { name, operation, object, oldObject, refused, warned } = each;
  test(name, () => {
    const { kind = "" } = object ?? oldObject ?? {};
    const verdict = judge({ operation, kind, object, oldObject }, viewOf(each));
    assert.deepEqual(
      verdict.refusals.map(({ message }) => message),
      refused,
    );
    // That a feature has not landed is another matter than what this case is about.
    const inactive = inactiveWords(kind, object);
    assert.deepEqual(
      verdict.warnings.filter((warning) => warning !== inactive),
      warned,
    );
  });
}
