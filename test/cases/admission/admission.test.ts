/**
 * Every case of admission in process: the very messages, in their order, as the webhook, the controller's condition and
 * the offline command say them.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFAULT_NAMESPACE } from "#api/names.ts";
import { judge } from "#api/v1beta1/admission/judge.ts";
import { standingOf } from "#api/v1beta1/standing.ts";
import { checkDocuments } from "#cli/check/verdicts.ts";
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
    assert.deepEqual(verdict.warnings, warned);
  });
}

for (const each of cases.filter(({ operation, isOffline }) => operation === "CREATE" && !isOffline)) {
  const { name, object, given, refused } = each;
  if (object === undefined) continue;
  test(`${name}: the condition and the offline command say the same`, () => {
    const [valid] = standingOf(object, viewOf(each)).filter(({ type }) => type === "Valid");
    assert.equal(valid?.status, refused.length === 0 ? "True" : "False");
    assert.equal(valid?.message, refused.join("\n"));
    const found = [...given, object].map((one, line) => ({ file: "f", line, object: { ...one } }));
    const report = checkDocuments(
      { found, unreadable: [], strangers: [] },
      { namespace: DEFAULT_NAMESPACE, isNamespaceGiven: true },
    );
    assert.deepEqual(
      report.objects.at(-1)?.refusals.map(({ message }) => message),
      refused,
    );
  });
}
