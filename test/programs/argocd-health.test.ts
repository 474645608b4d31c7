/** config/argocd in Argo CD's language: Lua 5.1, with the libraries that Argo CD gives such a script. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parse } from "yaml";
import { type Condition, ConditionType } from "#api/v1beta1/conditions.ts";
import type { Fault } from "#api/v1beta1/fault.ts";
import { setJudgement } from "#api/v1beta1/valid-condition.ts";
import { CHECKOUT } from "#hack/common/checkout.ts";

const { data } = parse(readFileSync(join(CHECKOUT, "config/argocd/argocd-cm.yaml"), "utf8")) as {
  data: Record<string, string>;
};
const KEY = "resource.customizations.health.genkan.dev_";
const NOW = new Date("2026-01-01T00:00:00Z");

/** A value as Lua writes it. */
function lua(value: unknown): string {
  if (Array.isArray(value)) return `{ ${value.map(lua).join(", ")} }`;
  if (typeof value === "object" && value !== null) {
    const members = Object.entries(value).filter(([, member]) => member !== undefined);
    return `{ ${members.map(([name, member]) => `[${lua(name)}] = ${lua(member)}`).join(", ")} }`;
  }
  // Lua reads JSON's strings, numbers and truths, but for \u and for a line's end.
  return JSON.stringify(value).replaceAll("\\n", "\\\n");
}

/** What Argo CD shows of an object. */
function healthOf(kind: string, object: object): string {
  const script = data[`${KEY}${kind}`];
  assert.ok(script !== undefined, kind);
  const program = `local write = io.write
string, math, io, debug, coroutine = nil, nil, nil, nil, nil
obj = ${lua(object)}
local health = (function()
${script}
end)()
write(health.status, "|", health.message)
`;
  return execFileSync("lua5.1", ["-"], { input: program, encoding: "utf8" });
}

const metadata = { name: "x", namespace: "genkan-system", generation: 2 };
const judged = (faults: readonly Fault[], generation = 2): readonly Condition[] =>
  setJudgement([], { faults, generation }, NOW);
const condition = (type: ConditionType, status: string, reason: string, message = "") => ({
  ...{ type, status, reason, message },
});
const FAULT = { field: "spec.addresses[0]", message: 'a range\nof "words"' };

/** name, status, what is shown. */
const OF_ALL: readonly (readonly [string, object | undefined, string])[] = [
  ["nobody has looked at it", undefined, "Progressing|Genkan has not looked at it yet"],
  [
    "what was looked at is an older one",
    { observedGeneration: 1, conditions: judged([], 1) },
    "Progressing|Genkan has not looked at it yet",
  ],
  ["valid", { observedGeneration: 2, conditions: judged([]) }, "Healthy|Accepted"],
  [
    "not valid",
    { observedGeneration: 2, conditions: judged([FAULT]) },
    'Degraded|Refused: spec.addresses[0]: a range\nof "words"',
  ],
];

for (const kind of ["AddressPool", "BGPPeer", "BFDProfile", "LoadBalancer"]) {
  for (const [name, status, shown] of OF_ALL)
    test(`${kind}: ${name}`, () => assert.equal(healthOf(kind, { metadata, status }), shown));
  test(`${kind}: being deleted`, () => {
    const deleted = { ...metadata, deletionTimestamp: NOW.toISOString() };
    assert.equal(healthOf(kind, { metadata: deleted, status: {} }), "Progressing|being deleted");
  });
}

/** Conditions that operator/status.ts makes, what is shown. */
const OF_LOAD_BALANCER: readonly (readonly [readonly object[], string])[] = [
  [
    [
      condition(ConditionType.Available, "False", "NotRunning", "no controller"),
      condition(ConditionType.Progressing, "True", "RollingOut", "2 pods"),
      condition(ConditionType.Degraded, "False", "AsExpected"),
      condition(ConditionType.Valid, "True", "Valid"),
      condition(ConditionType.Ready, "False", "NotRunning", "no controller"),
    ],
    "Progressing|NotRunning: no controller",
  ],
  [
    [
      condition(ConditionType.Available, "True", "Running"),
      condition(ConditionType.Degraded, "True", "SpeakerTrouble", "node1: IpvsUnavailable"),
      condition(ConditionType.Ready, "True", "Running"),
    ],
    "Degraded|SpeakerTrouble: node1: IpvsUnavailable",
  ],
  [
    [
      condition(ConditionType.Available, "True", "Running"),
      condition(ConditionType.Degraded, "False", "AsExpected"),
      condition(ConditionType.Ready, "True", "Running"),
    ],
    "Healthy|Running",
  ],
];
for (const [conditions, shown] of OF_LOAD_BALANCER) {
  test(`LoadBalancer: ${shown}`, () => {
    const status = { observedGeneration: 2, conditions };
    assert.equal(healthOf("LoadBalancer", { metadata, status }), shown);
  });
}

test("the text that Argo CD gets is the file beside it, for every kind that people apply", () => {
  const file = readFileSync(join(CHECKOUT, "config/argocd/health.lua"), "utf8");
  const kinds = ["LoadBalancer", "AddressPool", "BGPPeer", "BFDProfile"];
  assert.deepEqual(data, Object.fromEntries(kinds.map((kind) => [`${KEY}${kind}`, file])));
});
