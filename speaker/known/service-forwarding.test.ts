import assert from "node:assert/strict";
import { test } from "node:test";
import {
  ANNOTATION_SCHEDULER as BY,
  ANNOTATION_LOWER_THRESHOLD as LOWER,
  ANNOTATION_UPPER_THRESHOLD as UPPER,
  ANNOTATION_WEIGHTS as WEIGHTS,
} from "#api/names.ts";
import { endpoint, service, slice, view } from "#test/fakes/speaker-view.ts";
import { Planner } from "../plan/plan.ts";
import { schedulerOf, thresholdsOf, weightsOf } from "./service-forwarding.ts";

test("without annotations nothing is asked for", () => {
  assert.deepEqual([schedulerOf({}), thresholdsOf({}), weightsOf({})], [undefined, undefined, undefined]);
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
  [{ [WEIGHTS]: "" }, /weights.* NODE=WEIGHT or ADDRESS=WEIGHT/],
  [{ [WEIGHTS]: "node-a" }, /weights.* NODE=WEIGHT/],
  [{ [WEIGHTS]: "node-a=-1" }, /weights.* NODE=WEIGHT/],
  [{ [WEIGHTS]: "node-a=1,,node-b=2" }, /weights.* NODE=WEIGHT/],
  [{ [WEIGHTS]: "node-a=0" }, /weights.* from 1 to 65535/],
  [{ [WEIGHTS]: "node-a=65536" }, /weights.* from 1 to 65535/],
  [{ [WEIGHTS]: "node-a=1, node-a=2" }, /weights.* one weight of node-a/],
  [{ [WEIGHTS]: "fd00::1=1, fd00:0::1=2" }, /weights.* one weight of fd00::1/],
  [{ [WEIGHTS]: Array.from({ length: 101 }, (_, at) => `n${at}=2`).join() }, /weights.* 1 to 100/],
  [{ [WEIGHTS]: 3 }, /weights/],
  [{ [UPPER]: "5", [LOWER]: "6" }, /lower-threshold.* at most the upper one, 5/],
];
for (const [annotations, says] of wrong) {
  test(`refused: ${JSON.stringify(annotations)}`, () => {
    assert.throws(() => [schedulerOf, thresholdsOf, weightsOf].map((read) => read(annotations)), says);
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

test("weights by node, or by address in any spelling", () => {
  assert.deepEqual(
    weightsOf({ [WEIGHTS]: "node-a=3, 10.244.1.5=2,fd00:0::1=65535" }),
    new Map([
      ["node-a", 3],
      ["10.244.1.5", 2],
      ["fd00::1", 65_535],
    ]),
  );
});

test("an endpoint's weight is that of its address, else of its node, else 1; a change of it is seen", () => {
  const planner = new Planner();
  const slices = [slice([endpoint(1, "n1"), endpoint(2, "n2"), endpoint(3, "n2")])];
  const planned = (weights: ReadonlyMap<string, number>) => {
    const { ports } = planner.plan(view({ services: [service({ weights })], slices }));
    return ports[0]?.endpoints.map(({ weight }) => weight);
  };
  const [, second] = slices[0]?.endpoints ?? [];
  assert.deepEqual(planned(new Map([["n2", 3]])), [undefined, 3, 3]);
  assert.deepEqual(
    planned(
      new Map([
        ["n2", 4],
        [second?.address ?? "", 5],
      ]),
    ),
    [undefined, 5, 4],
  );
  assert.deepEqual(planned(new Map()), [undefined, undefined, undefined]);
});

test("affinity that a scheduler does not keep is said at the Service", () => {
  const said = (changes: Parameters<typeof service>[0]) =>
    planOf(changes).leftOut.map(({ reason }) => reason);
  assert.deepEqual(said({ hasAffinity: true, scheduler: "rr" }), ["AffinityIgnored"]);
  for (const changes of [{ hasAffinity: true }, { hasAffinity: true, scheduler: "sh" }, { scheduler: "rr" }])
    assert.deepEqual(said(changes), []);
});
