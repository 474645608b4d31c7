import assert from "node:assert/strict";
import { test } from "node:test";
import type { LoadBalancerView, SpeakerState } from "../known/view.ts";
import { rulesFor } from "./rules.ts";

const state = (...hardware: (string | undefined)[]): SpeakerState => ({
  isReady: true,
  links: hardware.map((address, at) => ({
    name: `eth${at}`,
    prefixes: [],
    ...(address === undefined ? {} : { hardware: address }),
  })),
});
const loadBalancer: LoadBalancerView = {
  generation: 1,
  isDeleting: false,
  nodeSelector: {},
  mode: "IPVS",
  scheduler: "mh",
  connectionSync: false,
  addressConflict: "yield",
  keepsOwners: true,
  drain: "Cordon",
  drainTaints: [],
  gossipPort: 7474,
};
const rules = (states: [string, SpeakerState][]) =>
  rulesFor(
    { node: "n1", loadBalancer, members: { live: [], dead: [], states: new Map(states) } },
    // One of them has no address that others know it by, and is not published.
    [{ hardware: "020000000001" }, { hardware: "020000000000" }],
  );

test("this node's links are all of its own, other nodes' are those that they publish, dead ones' too", () => {
  const states: [string, SpeakerState][] = [
    ["n1", state("020000000001")],
    ["n2", state("020000000002", "020000000003")],
    ["n3", state("020000000003")],
  ];
  assert.deepEqual(rules(states), {
    own: ["020000000000", "020000000001"],
    members: ["020000000002", "020000000003"],
    addressConflict: "yield",
  });
  assert.deepEqual(rules(states.toReversed()), rules(states), "in whatever order they come");
});

test("a speaker of an older build may be any station", () => {
  assert.equal(
    rules([
      ["n2", state("020000000002")],
      ["n3", state(undefined)],
    ]).members,
    undefined,
  );
});
