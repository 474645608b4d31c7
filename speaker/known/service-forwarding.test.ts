import assert from "node:assert/strict";
import { test } from "node:test";
import {
  ANNOTATION_SCHEDULER as BY,
  ANNOTATION_LOWER_THRESHOLD as LOWER,
  ANNOTATION_UPPER_THRESHOLD as UPPER,
} from "#api/names.ts";
import { service, view } from "#test/fakes/speaker-view.ts";
import { Planner } from "../plan/plan.ts";
import { schedulerOf, thresholdsOf } from "./service-forwarding.ts";

test("without annotations nothing is asked for", () => {
  assert.deepEqual([schedulerOf({}), thresholdsOf({})], [undefined, undefined]);
});

test("a scheduler of the kernel's, and thresholds of which the lower one may be left out", () => {
  assert.equal(schedulerOf({ [BY]: "wlc" }), "wlc");
  assert.deepEqual(thresholdsOf({ [UPPER]: "100" }), { upper: 100, lower: 0 });
  assert.deepEqual(thresholdsOf({ [UPPER]: "100", [LOWER]: "100" }), { upper: 100, lower: 100 });
});

const wrong: readonly [annotations: Record<string, unknown>, says: RegExp][] = [
  [{ [BY]: "MH" }, /scheduler.* one of mh, sh, dh/],
  [{ [BY]: "none" }, /scheduler/],
  [{ [UPPER]: "0" }, /upper-threshold.* from 1/],
  [{ [UPPER]: "9999999999" }, /upper-threshold/],
  [{ [LOWER]: "5" }, /upper-threshold.* is absent/],
  [{ [UPPER]: "5", [LOWER]: "6" }, /lower-threshold.* at most the upper one, 5/],
];
for (const [annotations, says] of wrong) {
  test(`refused: ${JSON.stringify(annotations)}`, () => {
    assert.throws(() => [schedulerOf(annotations), thresholdsOf(annotations)], says);
  });
}

const planOf = (changes: Parameters<typeof service>[0]) =>
  new Planner().plan(view({ services: [service(changes)] }));

test("what a Service asks for goes before what the LoadBalancer says, and to its own ports alone", () => {
  const own = planOf({ scheduler: "lc", thresholds: { upper: 9, lower: 0 } }).ports[0];
  assert.deepEqual(
    [own?.scheduler, own?.hasOwnScheduler, own?.thresholds],
    ["lc", true, { upper: 9, lower: 0 }],
  );
  const other = planOf({}).ports[0];
  assert.deepEqual(
    [other?.scheduler, other?.hasOwnScheduler, other?.thresholds],
    ["mh", undefined, undefined],
  );
});

test("affinity that a scheduler does not keep is said at the Service", () => {
  const said = (changes: Parameters<typeof service>[0]) =>
    planOf(changes).leftOut.map(({ reason }) => reason);
  assert.deepEqual(said({ hasAffinity: true, scheduler: "rr" }), ["AffinityIgnored"]);
  for (const changes of [{ hasAffinity: true }, { hasAffinity: true, scheduler: "sh" }, { scheduler: "rr" }])
    assert.deepEqual(said(changes), []);
});
