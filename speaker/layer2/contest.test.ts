import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import {
  type Contest,
  type ContestAct,
  DEFEND_INTERVAL_MS,
  LAST_WORD_MS,
  type Policy,
  QUIET_MS,
  step,
  YIELD_PAUSE_MS,
} from "./contest.ts";

/** Time passes through `until`, which takes every step that is due. */
function world(policy: Policy) {
  let contest: Contest | undefined;
  let now = 0;
  const acts: [at: number, act: ContestAct][] = [];
  const rule = { policy };
  const take = (event: Parameters<typeof step>[1]): void => {
    const next = step(contest, event, { now, policy: rule.policy });
    contest = next.contest;
    for (const act of next.acts) acts.push([now, act]);
  };
  const until = (end: number): void => {
    while (contest !== undefined && contest.dueAt <= end) {
      now = contest.dueAt;
      take({ type: "due" });
    }
    now = end;
  };
  const hear = (at: number, isMember = false, station = "02000000000c"): void => {
    until(at);
    take({ type: "heard", station, isMember });
  };
  const of = (...kinds: ContestAct[]) => acts.filter(([, act]) => kinds.includes(act)).map(([at]) => at);
  return { acts, hear, until, of, rule, take, now: () => now, contest: () => contest };
}

describe("a contested address", () => {
  test("a word in the very millisecond of ours is later than ours", () => {
    const { hear, until, of } = world("defend");
    hear(0);
    hear(LAST_WORD_MS);
    until(100_000);
    assert.deepEqual(of("announce"), [LAST_WORD_MS, LAST_WORD_MS + DEFEND_INTERVAL_MS]);
  });

  test("one word of a stranger: ours a second later, reported, over after half a minute", () => {
    const { hear, until, acts, contest } = world("defend");
    hear(0);
    until(100_000);
    const over = LAST_WORD_MS + QUIET_MS;
    assert.deepEqual(acts, [
      [0, "report"],
      [LAST_WORD_MS, "announce"],
      [LAST_WORD_MS, "report"],
      [over, "report"],
    ]);
    assert.equal(contest(), undefined);
  });

  test("a stranger that goes on: one word in ten seconds (RFC 5227 section 2.4), and the last one is ours", () => {
    const { hear, until, of } = world("defend");
    for (let at = 0; at <= 60_000; at += 100) hear(at);
    until(200_000);
    const told = of("announce");
    assert.equal(told[0], LAST_WORD_MS);
    for (const [index, at] of told.entries()) {
      const before = told[index - 1];
      if (before !== undefined) assert.ok(at - before >= DEFEND_INTERVAL_MS, `${before} ${at}`);
    }
    assert.ok(told.length >= 6 && (told.at(-1) ?? 0) > 60_000, `${told}`);
  });

  test("another node of ours: never reported, the last word is ours within a second or two", () => {
    const { hear, until, acts, of, contest } = world("yield");
    for (let at = 0; at <= 5_000; at += 500) hear(at, true);
    until(20_000);
    assert.ok(acts.every(([, act]) => act === "announce"));
    const last = of("announce").at(-1) ?? 0;
    assert.ok(last > 5_000 && last <= 5_000 + 2 * LAST_WORD_MS, `${last}`);
    assert.equal(contest(), undefined);
  });

  test("yield: one word in defence, then silence for a pause, three probes, and back when nobody answers", () => {
    const { hear, until, acts, of } = world("yield");
    hear(0);
    until(LAST_WORD_MS);
    assert.deepEqual(of("silence"), []);
    hear(2_000);
    until(200_000);
    const asked = 2_000 + YIELD_PAUSE_MS;
    assert.deepEqual(
      acts.filter(([, act]) => act !== "report"),
      [
        [LAST_WORD_MS, "announce"],
        [2_000, "silence"],
        [asked, "probe"],
        [asked + 1_000, "probe"],
        [asked + 2_000, "probe"],
        [asked + 4_000, "resume"],
      ],
    );
  });

  test("yield: a station that answers the probe keeps the address for another pause", () => {
    const { hear, until, of } = world("yield");
    hear(0);
    hear(2_000);
    const asked = 2_000 + YIELD_PAUSE_MS;
    hear(asked + 1);
    until(asked + YIELD_PAUSE_MS);
    assert.deepEqual([of("probe"), of("resume")], [[asked], []]);
    until(asked + 2 * YIELD_PAUSE_MS);
    assert.equal(of("resume").length, 1);
  });

  test("yield: a second word long after ours is a new conflict, and is defended", () => {
    const { hear, until, of } = world("yield");
    hear(0);
    hear(LAST_WORD_MS + DEFEND_INTERVAL_MS + 1);
    until(60_000);
    assert.deepEqual([of("silence"), of("announce").length], [[], 2]);
  });

  test("yield: another node of ours is not yielded to, not in the middle of a conflict either", () => {
    const { hear, until, of } = world("yield");
    hear(0);
    for (let at = 2_000; at < 8_000; at += 500) hear(at, true, "02000000000b");
    until(100_000);
    assert.deepEqual(of("silence"), []);
  });

  test("what was yielded is answered for again when the setting says defend", () => {
    const { hear, rule, take, of } = world("yield");
    hear(0);
    hear(2_000);
    rule.policy = "defend";
    take({ type: "ruled" });
    assert.deepEqual(of("resume"), [2_000]);
  });

  test("whatever is heard: silence and return alternate, and we tell nothing while silent", () => {
    const word = fc.record({ after: fc.nat(20_000), isMember: fc.boolean(), isYield: fc.boolean() });
    fc.assert(
      fc.property(fc.array(word, { maxLength: 60 }), (words) => {
        const { hear, until, rule, take, acts, now, contest } = world("yield");
        for (const { after, isMember, isYield } of words) {
          until(now() + after);
          rule.policy = isYield ? "yield" : "defend";
          take({ type: "ruled" });
          hear(now(), isMember);
        }
        until(now() + 1_000_000);
        assert.equal(contest(), undefined, "it ends when all is quiet");
        let isSilent = false;
        for (const [, act] of acts) {
          if (act === "silence") assert.ok(!isSilent);
          if (act === "resume" || act === "probe") assert.ok(isSilent);
          if (act === "announce") assert.ok(!isSilent);
          if (act === "silence") isSilent = true;
          if (act === "resume") isSilent = false;
        }
        assert.ok(!isSilent);
      }),
    );
  });
});
