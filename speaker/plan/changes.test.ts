/** A planner keeps what it planned of a Service: whatever changes has to be seen all the same. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { endpoint, service, slice, view, type World } from "#test/fakes/speaker-view.ts";
import { Planner } from "./plan.ts";

const web = service();
const BEFORE: World = { services: [web], slices: [slice([endpoint(1, "n1")])] };

const CHANGES: readonly (readonly [what: string, world: World])[] = [
  [
    "another slice of the same Service",
    { ...BEFORE, slices: [slice([endpoint(1, "n1", { isReady: false })])] },
  ],
  ["one slice more", { ...BEFORE, slices: [...(BEFORE.slices ?? []), slice([endpoint(2, "n2")])] }],
  ["no slice any more", { ...BEFORE, slices: [] }],
  ["the Service itself", { ...BEFORE, services: [service({ hasAffinity: true })] }],
  ["a Service more at the address", { ...BEFORE, services: [web, service({ key: "default/b", uid: "u2" })] }],
  ["a speaker that fell silent", { ...BEFORE, live: ["n2", "n3"], dead: ["n1"] }],
  ["the forwarding mode", { ...BEFORE, mode: "KubeProxy" }],
];
for (const [what, world] of CHANGES) {
  test(`seen: ${what}`, () => {
    const planner = new Planner();
    const before = planner.plan(view(BEFORE));
    const after = planner.plan(view(world));
    assert.deepEqual(after, new Planner().plan(view(world)));
    assert.notDeepEqual(after, before);
  });
}
