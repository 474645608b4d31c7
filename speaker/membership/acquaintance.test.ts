import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { GossipView, Heard } from "../gossip/gossip.ts";
import { Acquaintance, type AcquaintanceInput } from "./acquaintance.ts";

const up: Heard = { state: "alive", at: 0, downAt: undefined };
const SILENT: GossipView = {
  problem: undefined,
  members: new Map(),
  contactAt: undefined,
  joinedAt: undefined,
};
const HEARD: GossipView = { ...SILENT, members: new Map([["n2", up]]), contactAt: 10, joinedAt: 20 };
const input = (now: number, changes: Partial<AcquaintanceInput> = {}): AcquaintanceInput => ({
  ...{ own: "n1", now, gossip: SILENT, peers: 2 },
  lease: { live: ["n1", "n2"], isFrozen: false },
  ...changes,
});

describe("a speaker that starts", () => {
  test("says that it is ready when a peer has told it what is claimed", () => {
    const one = new Acquaintance();
    one.look(input(0), true);
    assert.deepEqual([one.isIntroduced, one.isCatchingUp, one.hearsClaims], [false, true, false]);
    one.look(input(30, { gossip: HEARD }), true);
    assert.deepEqual([one.isIntroduced, one.isCatchingUp, one.hearsClaims], [true, false, true]);
  });

  test("does not wait for long where nobody tells it, and then follows the election", () => {
    const one = new Acquaintance();
    one.look(input(0), true);
    one.look(input(1_999), true);
    assert.equal(one.isIntroduced, false);
    one.look(input(2_000), true);
    assert.deepEqual([one.isIntroduced, one.hearsClaims], [true, false]);
  });

  test("waits from when its gossip runs, which takes its time on a busy node", () => {
    const one = new Acquaintance();
    const starting = { ...SILENT, problem: "it has not started yet" };
    one.look(input(0, { gossip: starting }), true);
    one.look(input(4_900, { gossip: starting }), true);
    one.look(input(4_950), true);
    one.look(input(6_900), true);
    assert.equal(one.isIntroduced, false);
    one.look(input(6_940, { gossip: HEARD }), true);
    assert.equal(one.isIntroduced, true);
  });

  test("does not wait for ever where gossip does not run at all", () => {
    const one = new Acquaintance();
    const broken = { ...SILENT, problem: "port 7474 is taken" };
    one.look(input(0, { gossip: broken }), true);
    one.look(input(4_999, { gossip: broken }), true);
    assert.equal(one.isIntroduced, false);
    one.look(input(5_000, { gossip: broken }), true);
    assert.equal(one.isIntroduced, true);
  });

  test("waits for nobody where it takes no part in gossip, or is the only node", () => {
    for (const peers of [undefined, 0]) {
      const one = new Acquaintance();
      one.look(input(0, { peers, lease: { live: ["n1"], isFrozen: false } }), true);
      assert.deepEqual([one.isIntroduced, one.hearsClaims], [true, peers === 0]);
    }
  });

  test("does not wait before it is ready otherwise, and waits again when it starts anew", () => {
    const one = new Acquaintance();
    one.look(input(0), false);
    one.look(input(5_000), true);
    assert.equal(one.isIntroduced, false);
    one.look(input(5_000, { gossip: HEARD }), true);
    one.forget();
    one.look(input(6_000), true);
    assert.equal(one.isIntroduced, false);
  });
});

describe("one that was cut off", () => {
  const back: GossipView = { ...HEARD, contactAt: 9_000 };

  test("takes nothing until it was told what happened, or for a moment", () => {
    for (const gossip of [{ ...back, joinedAt: 9_050 }, back]) {
      const one = new Acquaintance();
      one.look(input(30, { gossip: HEARD }), true);
      one.look(input(9_010, { gossip: back }), true);
      assert.equal(one.isCatchingUp, true);
      one.look(input(gossip === back ? 11_000 : 9_060, { gossip }), true);
      assert.equal(one.isCatchingUp, false);
    }
  });

  test("says that it hears no claims when gossip is silent for long, while others live", () => {
    const one = new Acquaintance();
    one.look(input(0, { gossip: HEARD }), true);
    one.look(input(9_999), true);
    assert.equal(one.hearsClaims, true);
    one.look(input(10_000, { lease: { live: ["n1", "n2"], isFrozen: true } }), true);
    assert.equal(one.hearsClaims, true, "the API server is away: nobody would read it");
    one.look(input(10_000), true);
    assert.equal(one.hearsClaims, false);
  });
});
