import assert from "node:assert/strict";
import { test } from "node:test";
import type { SessionReport } from "./bgp/types.ts";
import { FormerSessions, formerSessionsOf, LONGEST_WAIT_MS } from "./former-sessions.ts";

const session = (peer: string, state: SessionReport["state"]) => ({ peer, state }) as SessionReport;

test("sessions that were there are waited for until each was back once", () => {
  const former = new FormerSessions();
  former.expect(["a", "b"], 0);
  assert.deepEqual(former.missing(undefined, 1), ["a", "b"], "it is not known yet what is wanted");
  assert.deepEqual(former.missing([session("a", "Connect"), session("b", "Idle"), session("c", "Idle")], 2), [
    "a",
    "b",
  ]);
  assert.deepEqual(former.missing([session("a", "Established"), session("b", "Idle")], 3), ["b"]);
  // Lost again: that is another matter.
  assert.deepEqual(former.missing([session("a", "Idle"), session("b", "Established")], 4), []);
});

test("a peer that is not wanted any more is not waited for", () => {
  const former = new FormerSessions();
  former.expect(["a"], 0);
  assert.deepEqual(former.missing([session("b", "Idle")], 1), []);
});

test("a router that is gone holds up an update for a minute, and no longer", () => {
  const former = new FormerSessions();
  former.expect(["a"], 1_000);
  assert.deepEqual(former.missing([session("a", "Idle")], 1_000 + LONGEST_WAIT_MS - 1), ["a"]);
  assert.deepEqual(former.missing([session("a", "Idle")], 1_000 + LONGEST_WAIT_MS), []);
});

test("what an earlier speaker had: as it said at its end, or as it stood when it was killed", () => {
  assert.deepEqual(formerSessionsOf(undefined), []);
  const status = {
    formerSessions: ["a"],
    bgpSessions: [
      { peer: "b", state: "Established" as const },
      { peer: "c", state: "Active" as const },
    ],
  };
  assert.deepEqual(formerSessionsOf(status), ["a", "b"]);
});
