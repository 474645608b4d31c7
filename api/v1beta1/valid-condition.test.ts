import assert from "node:assert/strict";
import { test } from "node:test";
import { faultsOf } from "#api/v1beta1/admission/judge.ts";
import type { Judged } from "#api/v1beta1/admission/question.ts";
import { emptyView } from "#api/v1beta1/admission/view.ts";
import { setJudgement, validCondition } from "#api/v1beta1/valid-condition.ts";

const VIEW = emptyView("genkan-system");
const object = (kind: string, spec: object): Judged =>
  ({ kind, metadata: { name: "x", namespace: "genkan-system", generation: 3 }, spec }) as Judged;

/** object, status and reason of the condition, what its message holds */
const CASES: readonly (readonly [Judged, string, RegExp])[] = [
  [object("AddressPool", { protocol: "layer2", addresses: ["10.0.0.0/24"] }), "True Accepted", /^$/],
  [object("AddressPool", { protocol: "bgp", addresses: ["10.0.0.0/24"] }), "True Accepted", /^$/],
  [
    object("AddressPool", { protocol: "layer2", addresses: ["10.0.0.1"] }),
    "False Refused",
    /^spec\.addresses\[0\]: 10\.0\.0\.1 is a bare address/,
  ],
  [object("BGPPeer", { myASN: 1, peerASN: 2, peerAddress: "10.0.0.1" }), "True Accepted", /^$/],
  [
    object("BFDProfile", { detectMultiplier: 1 }),
    "False Refused",
    /spec\.detectMultiplier: 1 must be at least 2/,
  ],
  [
    object("LoadBalancer", { membership: { port: 7472 } }),
    "False Refused",
    /spec\.membership\.port: 7472 is where speakers serve health and metrics/,
  ],
];

for (const [judged, expected, message] of CASES) {
  test(`the condition Valid: ${judged.kind}: ${expected}`, () => {
    const condition = validCondition(faultsOf(judged, VIEW), judged.metadata.generation);
    assert.equal(`${condition.status} ${condition.reason}`, expected);
    assert.equal(condition.type, "Valid");
    assert.match(condition.message, message);
    assert.equal(condition.observedGeneration, 3);
  });
}

test("Ready says the same, for programs that know no other condition; a list that says it all comes back as it is", () => {
  const fault = { field: "spec.addresses[0]", message: "x is no range" };
  const now = new Date("2026-01-01T00:00:00Z");
  const told = (faults: readonly (typeof fault)[]) =>
    setJudgement([], { faults, generation: 4 }, now).map(
      ({ type, status, reason, observedGeneration }) => `${type} ${status} ${reason} ${observedGeneration}`,
    );
  assert.deepEqual(told([]), ["Ready True Accepted 4", "Valid True Accepted 4"]);
  assert.deepEqual(told([fault]), ["Ready False Refused 4", "Valid False Refused 4"]);
  const list = setJudgement([], { faults: [], generation: 4 }, now);
  assert.equal(setJudgement(list, { faults: [], generation: 4 }, new Date(0)), list);
});
