import assert from "node:assert/strict";
import { test } from "node:test";
import { judge, looksAtServices } from "#api/v1beta1/admission/judge.ts";
import type { Judged } from "#api/v1beta1/admission/question.ts";
import { emptyView } from "#api/v1beta1/admission/view.ts";
import { faultText } from "#api/v1beta1/fault.ts";

const NAMESPACE = "genkan-system";

const balancer = (name: string, spec: object): Judged =>
  ({
    apiVersion: "genkan.dev/v1beta1",
    kind: "LoadBalancer",
    metadata: { name, namespace: NAMESPACE },
    spec,
  }) as Judged;
/** name, object, the faults' messages (none: admitted). The rules have theirs in test/cases/admission. */
const CASES: readonly (readonly [string, Judged, readonly string[]])[] = [
  [
    "a field whose feature is not there yet",
    balancer("loadbalancer", { layer2: { failureDetection: { probeInterval: 100 } } }),
    [
      'spec.layer2.failureDetection: {"probeInterval":100} is not supported yet: failure detection by probes has not landed',
    ],
  ],
  ["connection sync off", balancer("loadbalancer", { forwarding: { connectionSync: false } }), []],
  ["connection sync on", balancer("loadbalancer", { forwarding: { connectionSync: true } }), []],
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
    assert.deepEqual(verdict.faults.map(faultText), expected);
  });
}

test("a preview says what another object of the kind has against one, and refuses only what is its own fault", () => {
  const pool = (name: string, addresses: readonly string[]) =>
    ({
      apiVersion: "genkan.dev/v1beta1",
      kind: "AddressPool",
      metadata: { name, namespace: NAMESPACE },
      spec: { protocol: "layer2", addresses, interfaces: ["eth0"] },
    }) as never;
  const view = { ...emptyView(NAMESPACE), pools: [pool("old", ["10.0.0.0/24"])] };
  const overlap = 'spec.addresses[0]: 10.0.0.128/25 overlaps 10.0.0.0/24 of AddressPool "old"';
  const foretold = `refused, unless the other one changes before: ${overlap}`;
  const ask = (addresses: readonly string[], isDryRun: boolean) => {
    const object = pool("new", addresses);
    const question = { operation: "CREATE", kind: "AddressPool", object, oldObject: undefined, isDryRun };
    const { faults, warnings } = judge(question, view);
    return { faults: faults.map(faultText), warnings };
  };
  assert.deepEqual(ask(["10.0.0.128/25"], false), { faults: [overlap], warnings: [] });
  assert.deepEqual(ask(["10.0.0.128/25"], true), { faults: [], warnings: [foretold] });
  const own = "spec.addresses[1]: 10.2.0.9-10.2.0.1 is reversed: its last address is before its first";
  assert.deepEqual(ask(["10.0.0.128/25", "10.2.0.9-10.2.0.1"], true), {
    faults: [own],
    warnings: [foretold],
  });
});

test("Services are looked at only where a pool may lose addresses", () => {
  const pool = (addresses: readonly string[], autoAssign = true) =>
    ({ kind: "AddressPool", metadata: { name: "p" }, spec: { addresses, autoAssign } }) as Judged;
  const before = pool(["10.0.0.0/24"]);
  const after = pool(["10.0.0.0/25"]);
  for (const [operation, kind, object, oldObject, expected] of [
    ["CREATE", "AddressPool", before, undefined, false],
    ["UPDATE", "AddressPool", pool(["10.0.0.0/24"], false), before, false],
    ["UPDATE", "AddressPool", after, before, true],
    ["DELETE", "AddressPool", undefined, before, true],
    ["DELETE", "BFDProfile", undefined, { kind: "BFDProfile", metadata: { name: "p" } }, false],
  ] as const) {
    assert.equal(looksAtServices({ operation, kind, object, oldObject }), expected, `${operation} ${kind}`);
  }
});
