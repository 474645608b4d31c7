import assert from "node:assert/strict";
import { test } from "node:test";
import { FormerLinks } from "./former-links.ts";
import type { SpeakerState } from "./view.ts";

const state = (...links: [name: string, hardware: string][]): SpeakerState => ({
  isReady: true,
  links: links.map(([name, hardware]) => ({ name, prefixes: [], hardware })),
});
const hardwareOf = (links: SpeakerState["links"] | undefined): unknown[] =>
  (links ?? []).map(({ hardware }) => hardware);

test("a link that is down keeps its hardware address, and one that is there again has its own", () => {
  const former = new FormerLinks();
  const of = (states: Record<string, SpeakerState>) => former.within(new Map(Object.entries(states)));
  of({ n1: state(["eth0", "aa"], ["eth1", "bb"]) });
  assert.deepEqual(hardwareOf(of({ n1: state() }).get("n1")?.links), ["aa", "bb"]);
  assert.deepEqual(hardwareOf(of({ n1: state(["eth0", "cc"]) }).get("n1")?.links), ["bb", "cc"]);
  of({});
  assert.deepEqual(of({ n1: state() }).get("n1")?.links, []);
});

test("of a node that has ever other links the latest stay", () => {
  const former = new FormerLinks();
  for (let at = 0; at < 200; at++) former.within(new Map([["n1", state([`l${at}`, `${at}`])]]));
  const kept = former.within(new Map([["n1", state()]])).get("n1")?.links ?? [];
  assert.deepEqual([kept.length, kept.at(-1)?.name], [64, "l199"]);
});
