/**
 * Every case of admission in process: the very messages, in their order, as the webhook, the controller's condition and
 * the offline command say them.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFAULT_NAMESPACE } from "#api/names.ts";
import { ADDRESSPOOL_RULES } from "#api/v1beta1/admission/addresspool.ts";
import { BGPPEER_RULES } from "#api/v1beta1/admission/bgppeer.ts";
import { faultsOf, judge } from "#api/v1beta1/admission/judge.ts";
import { LOADBALANCER_RULES } from "#api/v1beta1/admission/loadbalancer.ts";
import type { AdmissionView } from "#api/v1beta1/admission/view.ts";
import { type Fault, faultText } from "#api/v1beta1/fault.ts";
import { validCondition } from "#api/v1beta1/valid-condition.ts";
import { validateSchema } from "#api/v1beta1/validate.ts";
import { checkDocuments } from "#cli/check/verdicts.ts";
import { NO_DOCUMENTS } from "#cli/documents.ts";
import { readCases, viewOf } from "./admission-files.ts";

const cases = await readCases();
const MANY = 150;

test(`there are at least ${MANY} cases, no two of one name`, () => {
  assert.ok(cases.length >= MANY, String(cases.length));
  assert.equal(new Set(cases.map(({ name }) => name)).size, cases.length);
});

/** Its field is refused as a whole while membership has not landed (api/v1beta1/valid-condition.test.ts has it). */
const ELSEWHERE = ["gossipPortIsFree"];

test("every rule has a case that it refuses, and one that it lets be", () => {
  type Rule = (object: never, view: AdmissionView) => readonly Fault[];
  const tables: Readonly<Record<string, readonly Rule[]>> = {
    AddressPool: ADDRESSPOOL_RULES,
    BGPPeer: BGPPEER_RULES,
    LoadBalancer: LOADBALANCER_RULES,
  };
  for (const [kind, rules] of Object.entries(tables)) {
    const judged = cases.filter(({ object }) => {
      return object?.kind === kind && validateSchema(kind, object).length === 0;
    });
    for (const rule of rules.filter(({ name }) => !ELSEWHERE.includes(name))) {
      const verdicts = judged.map((each) => rule(each.object as never, viewOf(each)).length > 0);
      assert.deepEqual([verdicts.includes(true), verdicts.includes(false)], [true, true], rule.name);
    }
  }
});

for (const each of cases) {
  const { name, operation, object, oldObject, refused, warned } = each;
  test(name, () => {
    const { kind = "" } = object ?? oldObject ?? {};
    const verdict = judge({ operation, kind, object, oldObject }, viewOf(each));
    assert.deepEqual(verdict.faults.map(faultText), refused);
    assert.deepEqual(verdict.warnings, warned);
  });
}

for (const each of cases.filter(({ operation, isOffline }) => operation === "CREATE" && !isOffline)) {
  const { name, object, given, refused } = each;
  if (object === undefined) continue;
  test(`${name}: the condition and the offline command say the same`, () => {
    const valid = validCondition(faultsOf(object, viewOf(each)), object.metadata.generation);
    assert.equal(valid.status, refused.length === 0 ? "True" : "False");
    assert.equal(valid.message, refused.join("\n"));
    const found = [...given, object].map((one, line) => ({ file: "f", line, object: { ...one } }));
    const report = checkDocuments(
      { ...NO_DOCUMENTS, found },
      { namespace: DEFAULT_NAMESPACE, isNamespaceGiven: true },
    );
    assert.deepEqual(report.objects.at(-1)?.faults.map(faultText), refused);
  });
}
