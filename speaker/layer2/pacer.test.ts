import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import {
  BURST,
  FRAMES_PER_SECOND,
  type Kind,
  LATE_PER_SECOND,
  MORE_PER_SECOND,
  Pacer,
  UNASKED_MS,
  type Word,
} from "./pacer.ts";

interface Sent extends Word {
  readonly at: number;
}

/** Small, repeatable chance (mulberry32). */
function chance(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let bits = Math.imul(state ^ (state >>> 15), 1 | state);
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits;
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A link that takes everything, or what `takes` says of the words of a moment. */
function link(takes: (words: readonly Word[], now: number) => number = (words) => words.length, seed = 1) {
  const pacer = new Pacer(chance(seed), 0);
  const sent: Sent[] = [];
  let now = 0;
  /** Until `end`, each time when the pacer asks for it. */
  const run = (end: number): void => {
    for (;;) {
      const words = pacer.take(now);
      const count = takes(words, now);
      for (const word of words.slice(0, count)) sent.push({ ...word, at: now });
      pacer.sent(words.slice(0, count), now);
      pacer.refused(words.slice(count), now);
      const next = pacer.nextAt(now);
      if (next === undefined || next > end) break;
      assert.ok(next > now, "it never asks for the same moment again");
      now = next;
    }
    now = Math.max(now, end);
  };
  const of = (key: string, ...kinds: Kind[]) =>
    sent.filter((word) => word.key === key && (kinds.length === 0 || kinds.includes(word.kind)));
  return { pacer, sent, run, of };
}

const names = (count: number): string[] => Array.from({ length: count }, (_, at) => `vip ${at}`);

describe("pacing", () => {
  test("one address: both forms at once, then all at the known times, then nothing is kept", () => {
    const { pacer, run, of } = link();
    pacer.add("a", 2);
    run(60_000);
    assert.deepEqual(
      of("a").map(({ at, kind, frames }) => [at, kind, frames]),
      [
        [0, "first", 1],
        [0, "second", 1],
        ...UNASKED_MS.slice(1).map((at, n) => [at, n < 3 ? "repeat" : "late", 2]),
      ],
    );
    assert.deepEqual([pacer.size, pacer.nextAt(60_000)], [0, undefined]);
  });

  test("1,000 addresses have their first word in half a second, and all are repeated as often as one", () => {
    const { pacer, sent, run, of } = link();
    for (const key of names(1_000)) pacer.add(key, 2);
    run(60_000);
    const firsts = sent.filter(({ kind }) => kind === "first").map(({ at }) => at);
    assert.equal(firsts.length, 1_000);
    assert.ok(Math.max(...firsts) <= 500, `${Math.max(...firsts)}`);
    for (const key of names(1_000))
      assert.equal(of(key, "repeat", "late").length, UNASKED_MS.length - 1, key);
  });

  test("one address more, behind a thousand repeats and as many urged words, is told at once", () => {
    const { pacer, run, of } = link();
    for (const key of names(1_000)) pacer.add(key, 2);
    run(2_000);
    for (const key of names(1_000)) pacer.urge(key, 2);
    pacer.add("new", 2);
    run(2_020);
    assert.deepEqual(
      of("new").map(({ kind }) => kind),
      ["first", "second"],
    );
  });

  test("a link that loses the end of every burst does not lose the same addresses each time", () => {
    // A queue of 300 frames that empties by 500 frames a second, far below what is sent; it drops without a word.
    let queued = 0;
    let at = 0;
    const heard = new Set<string>();
    const lossy = link((words, now) => {
      queued = Math.max(0, queued - (now - at) / 2);
      at = now;
      for (const { key, frames } of words) {
        if (queued + frames > 300) continue;
        queued += frames;
        heard.add(key);
      }
      return words.length;
    });
    for (const key of names(1_000)) lossy.pacer.add(key, 2);
    lossy.run(60_000);
    assert.equal(heard.size, 1_000);
  });

  test("what a link had no room for is sent later, and a new address's first word before it", () => {
    let isFull = true;
    const { pacer, sent, run, of } = link((words) => (isFull ? 0 : words.length));
    for (const key of names(50)) pacer.add(key, 2);
    run(1_000);
    assert.equal(sent.length, 0);
    isFull = false;
    run(1_200);
    for (const key of names(50)) assert.ok(of(key, "first").length === 1 && of(key, "second").length === 1);
  });

  test("tries of a link that stays full: no more than ten a second", () => {
    let tries = 0;
    const { pacer, run } = link(() => {
      tries += 1;
      return 0;
    });
    pacer.add("a", 1);
    run(10_000);
    assert.ok(tries <= 110 && tries >= 90, `${tries}`);
  });

  test("an urged word is said once more, and a probe stops what was to be told", () => {
    const { pacer, sent, run } = link();
    pacer.urge("a", 2);
    pacer.urge("a", 2);
    run(10_000);
    assert.deepEqual(
      sent.map(({ kind, frames }) => [kind, frames]),
      [["urged", 2]],
    );
    pacer.add("b", 1);
    pacer.probe("b", 1);
    run(20_000);
    assert.deepEqual(
      sent.slice(1).map(({ key, kind }) => [key, kind]),
      [["b", "probe"]],
    );
    assert.equal(pacer.size, 0);
  });

  test("whatever happens: no rate is exceeded, nothing is told after it was removed, nothing is kept in the end", () => {
    const key = fc.nat(400).map((at) => `vip ${at}`);
    const act = fc.record({
      what: fc.constantFrom("add", "add", "urge", "probe", "remove"),
      keys: fc.array(key, { maxLength: 300 }),
      after: fc.nat(700),
      takes: fc.nat(10),
    });
    fc.assert(
      fc.property(fc.array(act, { maxLength: 15 }), fc.integer(), (acts, seed) => {
        let takes = 10;
        const { pacer, sent, run, of } = link((words) => Math.ceil((words.length * takes) / 10), seed);
        let now = 0;
        const added = new Map<string, number>();
        const removed = new Map<string, number>();
        for (const { what, keys, after, takes: next } of acts) {
          takes = next;
          for (const one of keys) {
            if (what === "add") pacer.add(one, 2);
            else if (what === "urge") pacer.urge(one, 2);
            else if (what === "probe") pacer.probe(one, 2);
            else pacer.remove(one);
            (what === "add" ? added : removed).set(one, now);
            if (what === "add") removed.delete(one);
            else if (what !== "urge") added.delete(one);
          }
          now += after;
          run(now);
        }
        takes = 10;
        run(now + 100_000);
        assert.deepEqual([pacer.size, pacer.nextAt(now + 100_000)], [0, undefined]);
        for (const [one, at] of added)
          assert.ok(
            of(one, "first").some((word) => word.at >= at),
            one,
          );
        const isWithin = (words: readonly Sent[], perSecond: number): boolean =>
          words.every(({ at }, index) => {
            const since = words.slice(Math.max(0, index - 200), index + 1);
            const span = at - (since[0]?.at ?? at);
            const frames = since.reduce((sum, word) => sum + word.frames, 0);
            return frames <= BURST + (span * perSecond) / 1_000 + 1;
          });
        assert.ok(isWithin(sent, FRAMES_PER_SECOND));
        const only = (...kinds: Kind[]) => sent.filter(({ kind }) => kinds.includes(kind));
        assert.ok(isWithin(only("repeat", "urged", "probe"), MORE_PER_SECOND));
        assert.ok(isWithin(only("late"), LATE_PER_SECOND));
      }),
      { numRuns: 60 },
    );
  });
});
