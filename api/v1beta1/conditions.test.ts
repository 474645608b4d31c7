import assert from "node:assert/strict";
import { test } from "node:test";
import { type Condition, setCondition } from "#api/v1beta1/conditions.ts";

const EARLIER = "2026-01-01T00:00:00Z";
const NOW = new Date("2026-02-02T02:02:02.345Z");
const present: Condition[] = [
  { type: "Ready", status: "False", reason: "NoLink", message: "no link", lastTransitionTime: EARLIER },
];

test("the same condition leaves the very list", () => {
  assert.equal(
    setCondition(present, { type: "Ready", status: "False", reason: "NoLink", message: "no link" }, NOW),
    present,
  );
});

test("another message keeps the time of the transition, another status does not", () => {
  const [worded] = setCondition(
    present,
    { type: "Ready", status: "False", reason: "NoLink", message: "still" },
    NOW,
  );
  assert.equal(worded?.lastTransitionTime, EARLIER);
  const [turned] = setCondition(
    present,
    { type: "Ready", status: "True", reason: "Ready", message: "" },
    NOW,
  );
  assert.equal(turned?.lastTransitionTime, "2026-02-02T02:02:02Z");
});

test("a new type is added in order of types", () => {
  const list = setCondition(
    present,
    { type: "AllServed", status: "True", reason: "Served", message: "" },
    NOW,
  );
  assert.deepEqual(
    list.map((condition) => condition.type),
    ["AllServed", "Ready"],
  );
});
