import assert from "node:assert/strict";
import { test } from "node:test";
import { type Judged, judge } from "#api/v1beta1/admission/judge.ts";
import { emptyView } from "#api/v1beta1/admission/view.ts";

const NAMESPACE = "genkan-system";

const balancer = (name: string, spec: object): Judged =>
  ({
    apiVersion: "genkan.dev/v1beta1",
    kind: "LoadBalancer",
    metadata: { name, namespace: NAMESPACE },
    spec,
  }) as Judged;
/** name, object, the refusals' messages (none: admitted). The rules have theirs in test/cases/admission. */
const CASES: readonly (readonly [string, Judged, readonly string[]])[] = [
  [
    "a tunnel that is not there yet",
    balancer("loadbalancer", { forwarding: { tunnel: "gue" } }),
    ['spec.forwarding.tunnel: "gue" is not supported yet: a tunnel other than ipip has not landed'],
  ],
  ["connection sync off", balancer("loadbalancer", { forwarding: { connectionSync: false } }), []],
  [
    "connection sync on",
    balancer("loadbalancer", { forwarding: { connectionSync: true } }),
    ["spec.forwarding.connectionSync: true is not supported yet: connection sync has not landed"],
  ],
  [
    "a kind that is not ours",
    { ...balancer("x", {}), kind: "Gateway" },
    ['kind: "Gateway" is not a kind of ours'],
  ],
];

for (const [name, object, expected] of CASES) {
  test(`admission: ${name}`, () => {
    const view = emptyView(NAMESPACE);
    const verdict = judge({ operation: "CREATE", kind: object.kind, object, oldObject: undefined }, view);
    assert.deepEqual(
      verdict.refusals.map((refusal) => refusal.message),
      expected,
    );
  });
}
