import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Heard } from "#speaker/gossip/gossip.ts";
import { combine, unheard } from "./combine.ts";
import { judgement, type Renewals } from "./liveness.ts";

const NOW = 100_000;
const word = (state: Heard["state"], agoMs: number, downAgoMs?: number): Heard => ({
  state,
  at: NOW - agoMs,
  downAt: state === "dead" || state === "left" ? NOW - agoMs : downAgoMs && NOW - downAgoMs,
});
/** Renewed so many milliseconds ago, and a second before. */
const renewed = (agoMs: number): Renewals => ({ last: NOW - agoMs, before: NOW - agoMs - 1_000 });

interface Case {
  readonly what: string;
  readonly lease?: "live" | "dead";
  readonly isFrozen?: boolean;
  readonly renewals?: Renewals;
  /** Of n2. */
  readonly heard?: Heard;
  /** Of n3, which is alive if this is not given. */
  readonly other?: Heard;
  readonly expected: "live" | "dead" | "neither";
  readonly expectedFrozen?: boolean;
}

const CASES: readonly Case[] = [
  { what: "never heard, a fresh Lease: an older release", lease: "live", expected: "live" },
  { what: "never heard, a Lease that ran out", lease: "dead", expected: "dead" },
  { what: "alive to both", heard: word("alive", 60_000), expected: "live" },
  { what: "suspected is alive", heard: word("suspect", 100), expected: "live" },
  {
    what: "alive, cut off from the API server",
    lease: "dead",
    heard: word("alive", 60_000),
    expected: "live",
  },
  {
    what: "dead by gossip, a fresh Lease",
    heard: word("dead", 10),
    renewals: renewed(800),
    expected: "dead",
  },
  {
    what: "dead by gossip, one renewal that was on its way",
    heard: word("dead", 300),
    renewals: renewed(100),
    expected: "dead",
  },
  {
    what: "dead by gossip, and its Lease goes on: gossip is blocked",
    heard: word("dead", 5_000),
    renewals: renewed(100),
    expected: "live",
  },
  {
    what: "dead by gossip, its Lease went on and ran out",
    lease: "dead",
    heard: word("dead", 60_000),
    renewals: renewed(4_500),
    expected: "dead",
  },
  {
    what: "back by gossip alone: it starts anew and has not renewed its Lease",
    heard: word("alive", 200, 3_000),
    renewals: renewed(3_500),
    expected: "dead",
  },
  {
    what: "back by both",
    heard: word("alive", 200, 3_000),
    renewals: renewed(100),
    expected: "live",
  },
  {
    what: "back by gossip alone for a while: it is cut off from the API server",
    lease: "dead",
    heard: word("alive", 3_000, 6_000),
    renewals: renewed(9_000),
    expected: "live",
  },
  {
    what: "back by gossip, the API server away",
    isFrozen: true,
    heard: word("alive", 200, 3_000),
    renewals: renewed(9_000),
    expected: "live",
    expectedFrozen: false,
  },
  { what: "left", heard: word("left", 10), renewals: renewed(500), expected: "neither" },
  {
    what: "dead, the API server away",
    isFrozen: true,
    heard: word("dead", 10),
    renewals: renewed(9_000),
    expected: "dead",
    expectedFrozen: false,
  },
  {
    what: "dead long ago, the API server away since: renewals of before do not count",
    isFrozen: true,
    heard: word("dead", 20_000),
    renewals: renewed(25_000),
    expected: "dead",
    expectedFrozen: false,
  },
  {
    what: "dead by gossip, its Lease went on until the API server was away: gossip is blocked",
    isFrozen: true,
    heard: word("dead", 20_000),
    renewals: renewed(5_000),
    expected: "live",
    expectedFrozen: false,
  },
  {
    what: "left, back by its Lease, and the API server away before gossip hears it again",
    isFrozen: true,
    heard: word("left", 4_000),
    renewals: renewed(1_000),
    expected: "live",
    expectedFrozen: false,
  },
  {
    what: "everybody dead at once: it is this node that is cut off",
    heard: word("dead", 100),
    other: word("dead", 150),
    renewals: renewed(900),
    expected: "live",
  },
  {
    what: "everybody dead at once, the API server away",
    isFrozen: true,
    heard: word("dead", 100),
    other: word("dead", 150),
    expected: "live",
    expectedFrozen: true,
  },
  {
    what: "everybody was dead at once, and one is heard again before the other",
    heard: word("dead", 1_000),
    other: word("alive", 10, 1_100),
    renewals: renewed(1_500),
    expected: "live",
  },
  {
    what: "the same with the API server away",
    isFrozen: true,
    heard: word("dead", 1_000),
    other: word("alive", 10, 1_100),
    expected: "live",
    expectedFrozen: false,
  },
  {
    what: "everybody was dead at once, and one has been heard again for four seconds",
    isFrozen: true,
    heard: word("dead", 5_000),
    other: word("alive", 4_000, 5_400),
    expected: "live",
    expectedFrozen: false,
  },
  {
    what: "everybody was dead at once, and one has been heard again for five seconds: the other one is dead",
    isFrozen: true,
    heard: word("dead", 6_000),
    other: word("alive", 5_100, 6_400),
    expected: "dead",
  },
  {
    what: "everybody was dead at once, one was heard again for five seconds, and the other one's Lease goes on",
    heard: word("dead", 6_000),
    other: word("alive", 5_100, 6_400),
    renewals: renewed(100),
    expected: "live",
  },
  {
    what: "the last one of three, long after the second",
    heard: word("dead", 100),
    other: word("dead", 60_000),
    renewals: renewed(900),
    expected: "dead",
  },
];

describe("who is alive, by Leases and by gossip", () => {
  for (const one of CASES) {
    const { what, lease = "live", isFrozen = false, renewals, heard, other, expected } = one;
    test(what, () => {
      const parts = { states: new Map(), faults: new Map(), isFrozen };
      const isLive = lease === "live";
      const by = judgement({
        ...parts,
        live: isLive ? ["n1", "n2", "n3"] : ["n1", "n3"],
        dead: isLive ? [] : ["n2"],
      });
      const words = new Map([["n3", other ?? word("alive", 60_000)]]);
      if (heard !== undefined) words.set("n2", heard);
      const of = { own: "n1", now: NOW, lease: by, renewals: () => renewals, heard: words };
      const { live, dead, isFrozen: stillFrozen } = combine(of);
      const found = live.includes("n2") ? "live" : dead.includes("n2") ? "dead" : "neither";
      assert.equal(found, expected);
      assert.equal(stillFrozen, one.expectedFrozen ?? false);
      assert.ok(live.includes("n1"));
    });
  }

  test("without gossip it is the judgement by Leases itself", () => {
    const lease = judgement({
      live: ["n1"],
      dead: ["n2"],
      states: new Map(),
      faults: new Map(),
      isFrozen: true,
    });
    const of = { own: "n1", now: NOW, lease, renewals: () => undefined, heard: new Map() };
    assert.equal(combine(of), lease);
  });

  test("who lives by its Lease and is not heard for a while is told of", () => {
    const parts = { dead: [], states: new Map(), faults: new Map(), isFrozen: false };
    const lease = judgement({ ...parts, live: ["n1", "n2", "n3", "n4", "n5"] });
    const heard = new Map([
      ["n2", word("dead", 9_999)],
      ["n5", word("left", 10_001)],
    ]);
    const of = { own: "n1", now: NOW, lease, heard };
    const since = (node: string): number => (node === "n3" ? NOW - 10_001 : NOW - 9_999);
    assert.deepEqual(unheard(of, since, 10_000), ["n3", "n5"]);
  });
});
