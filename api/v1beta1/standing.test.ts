import assert from "node:assert/strict";
import { test } from "node:test";
import type { Judged } from "#api/v1beta1/admission/judge.ts";
import { emptyView } from "#api/v1beta1/admission/view.ts";
import { standingOf } from "#api/v1beta1/standing.ts";

const VIEW = emptyView("genkan-system");
const object = (kind: string, spec: object): Judged =>
  ({ kind, metadata: { name: "x", namespace: "genkan-system", generation: 3 }, spec }) as Judged;

/** object, type=status reason of each condition, what their messages hold */
const CASES: readonly (readonly [Judged, readonly string[], RegExp])[] = [
  [object("AddressPool", { protocol: "layer2", addresses: ["10.0.0.0/24"] }), ["Valid=True Accepted"], /^$/],
  [object("AddressPool", { protocol: "bgp", addresses: ["10.0.0.0/24"] }), ["Valid=True Accepted"], /^$/],
  [
    object("AddressPool", { protocol: "layer2", addresses: ["10.0.0.1"] }),
    ["Valid=False Refused"],
    /^spec\.addresses\[0\]: 10\.0\.0\.1 is a bare address/,
  ],
  [object("BGPPeer", { myASN: 1, peerASN: 2, peerAddress: "10.0.0.1" }), ["Valid=True Accepted"], /^$/],
  [
    object("BFDProfile", { detectMultiplier: 1 }),
    ["Valid=False Refused"],
    /spec\.detectMultiplier: 1 must be at least 2/,
  ],
  [
    object("LoadBalancer", { membership: { port: 7472 } }),
    ["Valid=False Refused"],
    /spec\.membership\.port: 7472 is where speakers serve health and metrics/,
  ],
];

for (const [judged, expected, words] of CASES) {
  test(`standing: ${judged.kind}: ${expected.join(", ")}`, () => {
    const conditions = standingOf(judged, VIEW);
    assert.deepEqual(
      conditions.map(({ type, status, reason }) => `${type}=${status} ${reason}`),
      expected,
    );
    assert.match(conditions.map(({ message }) => message).join("\n"), words);
    assert.ok(conditions.every(({ observedGeneration }) => observedGeneration === 3));
  });
}
