import assert from "node:assert/strict";
import { test } from "node:test";
import { faultsOf } from "#api/v1beta1/admission/judge.ts";
import type { Judged } from "#api/v1beta1/admission/question.ts";
import { emptyView } from "#api/v1beta1/admission/view.ts";
import { validCondition } from "#api/v1beta1/valid-condition.ts";

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
