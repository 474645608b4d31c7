import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { Liveness } from "./liveness.ts";

const held = (stamp: number | string) => ({ stamp: String(stamp), isHeld: true, state: "s" });

/** Renewals of `nodes` every second from `from` to `to`, inclusive; the last judgement. */
function renew(liveness: Liveness, nodes: readonly string[], from: number, to: number) {
  let judgement = liveness.judge(from);
  for (let now = from; now <= to; now += 1_000) {
    for (const node of nodes) liveness.observe(node, held(now), now);
    judgement = liveness.judge(now);
  }
  return judgement;
}

describe("liveness", () => {
  test("before our own renewal comes back nobody is judged", () => {
    const liveness = new Liveness("a");
    liveness.observe("b", held(1), 0);
    assert.deepEqual(liveness.judge(0).live, []);
    assert.equal(liveness.judge(0).isFrozen, true);
  });

  test("but what others have published is known: a speaker that has just started forwards to their pods as before", () => {
    const liveness = new Liveness("a");
    liveness.observe("b", { stamp: "1", isHeld: true, state: "ready" }, 0);
    assert.deepEqual([...liveness.judge(0).states], [["b", "ready"]]);
    liveness.observe("b", { stamp: "2", isHeld: true, state: "not ready" }, 1_000);
    const { states, isFrozen, live } = liveness.judge(1_000);
    assert.deepEqual([[...states], isFrozen, live], [[["b", "not ready"]], true, []]);
  });

  test("a speaker that falls silent is dead after its lease, no sooner", () => {
    const liveness = new Liveness("a");
    renew(liveness, ["a", "b", "c"], 0, 10_000);
    renew(liveness, ["a", "c"], 11_000, 14_000);
    assert.deepEqual(liveness.judge(14_000).live, ["a", "b", "c"]);
    assert.deepEqual(liveness.judge(14_001).live, ["a", "c"]);
    assert.deepEqual(liveness.judge(14_001).dead, ["b"]);
  });

  test("a thousand renew every ten seconds, and one of them is dead after forty", () => {
    const liveness = new Liveness("n0");
    const nodes = Array.from({ length: 1_000 }, (_, node) => `n${node}`);
    const all = (now: number, silent?: string): void => {
      for (const node of nodes) if (node !== silent) liveness.observe(node, held(now), now);
    };
    for (let now = 0; now <= 50_000; now += 10_000) all(now);
    for (let now = 60_000; now <= 90_000; now += 10_000) all(now, "n7");
    assert.deepEqual([liveness.judge(90_000).live.length, liveness.pace], [1_000, 10]);
    assert.deepEqual(liveness.judge(90_001).dead, ["n7"]);
  });

  test("a goodbye counts at once, and is no death", () => {
    const liveness = new Liveness("a");
    renew(liveness, ["a", "b"], 0, 5_000);
    liveness.observe("b", { stamp: "bye", isHeld: false, state: "s" }, 5_100);
    const judgement = liveness.judge(5_100);
    assert.deepEqual([judgement.live, judgement.dead], [["a"], []]);
  });

  test("with the API server away everybody stays, however long", () => {
    const liveness = new Liveness("a");
    renew(liveness, ["a", "b", "c"], 0, 5_000);
    for (const now of [7_501, 9_500, 60_000, 86_400_000]) {
      const judgement = liveness.judge(now);
      assert.deepEqual([judgement.live, judgement.isFrozen], [["a", "b", "c"], true]);
    }
  });

  test("after it nobody is dead before a whole lease of silence", () => {
    const liveness = new Liveness("a");
    renew(liveness, ["a", "b"], 0, 5_000);
    liveness.judge(100_000);
    const end = renew(liveness, ["a"], 100_500, 104_500);
    assert.deepEqual(end.live, ["a", "b"]);
    liveness.observe("a", held("x"), 104_501);
    assert.deepEqual(liveness.judge(104_501).live, ["a"]);
  });

  test("a death is seen through freezes however often they come: the silence between them adds up", () => {
    const liveness = new Liveness("a");
    const end = renew(liveness, ["a", "b"], 0, 5_000);
    assert.deepEqual(end.live, ["a", "b"]);
    let now = 5_000;
    let confirmed = 0;
    // Own renewals: one after 3.5 s, frozen before it, and two more on time.
    while (liveness.judge(now).dead.length === 0 && now < 60_000) {
      for (const pause of [3_500, 1_000, 1_100]) {
        now += pause;
        if (pause < 2_500) confirmed += pause;
        liveness.observe("a", held(now), now);
        liveness.judge(now);
      }
    }
    assert.deepEqual(liveness.judge(now).dead, ["b"]);
    assert.ok(confirmed <= 4_000 + 2_100, `${confirmed} ms of silence`);
  });

  test("nobody is called dead right after a freeze, and who was dead stays so", () => {
    const liveness = new Liveness("a");
    renew(liveness, ["a", "b", "c"], 0, 5_000);
    assert.deepEqual(renew(liveness, ["a", "b"], 6_000, 9_000).dead, []);
    assert.deepEqual(renew(liveness, ["a"], 10_000, 12_000).dead, ["c"]);
    // b has been silent for 3 s of its 4.
    liveness.observe("a", held("thaw"), 30_000);
    liveness.observe("a", held("1"), 31_000);
    assert.deepEqual(liveness.judge(32_000).live, ["a", "b"]);
    assert.deepEqual(liveness.judge(32_000).dead, ["c"]);
    assert.deepEqual(liveness.judge(32_001).dead, ["b", "c"]);
  });

  test("a death that was seen after our last renewal before a freeze is one after it, too", () => {
    const liveness = new Liveness("a");
    renew(liveness, ["a", "b"], 0, 5_000);
    renew(liveness, ["a"], 6_000, 8_000);
    assert.deepEqual(liveness.judge(9_100).dead, ["b"]);
    liveness.observe("a", held("thaw"), 30_000);
    for (const now of [30_000, 31_900]) assert.deepEqual(liveness.judge(now).dead, ["b"]);
    liveness.observe("b", held("back"), 32_000);
    assert.deepEqual(liveness.judge(32_000).live, ["a", "b"]);
  });

  test("who renews as often as we do is never called dead, whatever stops both of us in between", () => {
    fc.assert(
      fc.property(
        fc.nat(999),
        fc.array(fc.oneof(fc.constant(0), fc.nat(4_000), fc.nat(1_000_000)), { minLength: 1, maxLength: 60 }),
        (phase, pauses) => {
          const liveness = new Liveness("a");
          let now = 0;
          for (const [beat, pause] of pauses.entries()) {
            now += pause;
            liveness.observe("a", held(beat), now);
            assert.ok(!liveness.judge(now).dead.includes("b"));
            now += phase;
            liveness.observe("b", held(beat), now);
            assert.ok(beat === 0 || liveness.judge(now).live.includes("b"));
            now += 1_000 - phase;
            assert.ok(!liveness.judge(now).dead.includes("b"));
          }
        },
      ),
    );
  });

  test("a Lease that cannot be used changes nothing for a Lease's time; then its node is neither live nor dead", () => {
    const liveness = new Liveness("a");
    renew(liveness, ["a", "b"], 0, 5_000);
    const poison = (now: number) =>
      liveness.observe("b", { stamp: `poison ${now}`, isHeld: true, state: "", fault: "links is 3" }, now);
    const before = liveness.judge(5_000).fingerprint;
    for (let now = 5_100; now <= 9_100; now += 500) {
      poison(now);
      liveness.observe("a", held(now), now);
      assert.equal(liveness.judge(now).fingerprint, before, String(now));
    }
    const { live, dead, states, faults } = liveness.judge(9_101);
    assert.deepEqual([live, dead, states.get("b"), [...faults]], [["a"], [], "", [["b", "links is 3"]]]);
    liveness.observe("b", held("back"), 9_200);
    assert.equal(liveness.judge(9_200).fingerprint, before);
  });

  test("a speaker that renews between somebody's stray writes stays as it is, however long", () => {
    const liveness = new Liveness("a");
    renew(liveness, ["a", "b"], 0, 5_000);
    const before = liveness.judge(5_000).fingerprint;
    for (let now = 5_000; now < 30_000; now += 1_000) {
      liveness.observe("a", held(now), now);
      liveness.observe("b", held(now), now);
      liveness.observe("b", { stamp: `poison ${now}`, isHeld: true, state: "", fault: "x" }, now + 10);
      assert.equal(liveness.judge(now + 900).fingerprint, before);
    }
  });

  test("a dead speaker's Lease that somebody goes on writing nonsense to keeps nothing for it", () => {
    const liveness = new Liveness("a");
    renew(liveness, ["a", "b"], 0, 5_000);
    let last = liveness.judge(5_000);
    for (let now = 6_000; now <= 12_000; now += 1_000) {
      liveness.observe("a", held(now), now);
      liveness.observe("b", { stamp: `poison ${now}`, isHeld: true, state: "", fault: "x" }, now);
      last = liveness.judge(now);
    }
    assert.deepEqual(last.live, ["a"]);
  });

  test("a Lease that was deleted is gone", () => {
    const liveness = new Liveness("a");
    renew(liveness, ["a", "b"], 0, 2_000);
    liveness.observe("b", undefined, 2_100);
    assert.deepEqual([...liveness.judge(2_100).states.keys()], ["a"]);
  });

  test("whatever stops at once with our own renewals is never called dead", () => {
    fc.assert(
      fc.property(
        fc.nat(999),
        fc.nat(999),
        fc.array(fc.integer({ min: 1, max: 100_000 }), { minLength: 1 }),
        (phaseA, phaseB, pauses) => {
          const liveness = new Liveness("a");
          for (let second = 0; second < 10; second += 1) {
            liveness.observe("a", held(second), second * 1_000 + phaseA);
            liveness.observe("b", held(second), second * 1_000 + phaseB);
            liveness.judge((second + 1) * 1_000);
          }
          let now = 10_000;
          for (const pause of pauses) {
            now += pause;
            assert.ok(liveness.judge(now).live.includes("b"));
          }
        },
      ),
    );
  });
});
