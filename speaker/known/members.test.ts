import assert from "node:assert/strict";
import { test } from "node:test";
import { state } from "#test/fakes/speaker-view.ts";
import { MemberStates } from "./members.ts";

const said = (states: Record<string, string>) => ({
  live: ["n1"],
  dead: ["n2"],
  states: new Map(Object.entries(states)),
});

test("a speaker's state is the same object while its text is, and this node's own is the one given", () => {
  const known = new MemberStates();
  const texts = { n1: "not JSON", n2: JSON.stringify(state("n2")), n3: "not JSON" };
  const before = known.members(said(texts), "n1", state("n1"));
  assert.deepEqual(
    [before.live, before.dead, [...before.states.keys()].sort()],
    [["n1"], ["n2"], ["n1", "n2"]],
  );
  const after = known.members(said(texts), "n1", state("n1"));
  assert.deepEqual(
    ["n1", "n2"].map((name) => after.states.get(name) === before.states.get(name)),
    [true, true],
  );
  const other = JSON.stringify(state("n2", { isReady: false }));
  const next = known.members(said({ ...texts, n2: other }), "n1", state("n1", { isReady: false }));
  assert.deepEqual([next.states.get("n1")?.isReady, next.states.get("n2")?.isReady], [false, false]);
});
