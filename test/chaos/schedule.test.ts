import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { FAULT_KINDS, FAULTS, faultOf } from "./faults.ts";
import { CALM_MS, scheduleOf, wordsOf } from "./schedule.ts";

const NODES = ["node1", "node2", "node3"];
const schedule = (seed: number, minutes = 10) =>
  scheduleOf({ seed, minutes, nodes: NODES, kinds: FAULT_KINDS });

describe("a schedule", () => {
  test("is the same for the same seed, and another one for another", () => {
    assert.deepEqual(schedule(7), schedule(7));
    assert.notDeepEqual(schedule(7), schedule(8));
  });

  for (let seed = 1; seed <= 50; seed += 1) {
    test(`seed ${seed}: each kind is there, at nodes that there are, with time to mend before the next`, () => {
      const turns = schedule(seed);
      const faults = turns.flatMap((turn) => turn.faults);
      assert.deepEqual(
        FAULT_KINDS.filter((kind) => !faults.some((one) => one.kind === kind)),
        [],
      );
      for (const { kind, node, other, lastsMs } of faults) {
        const { target, lasts } = faultOf(kind);
        assert.equal(node !== undefined && NODES.includes(node), target !== "none", kind);
        assert.equal(other !== undefined && NODES.includes(other) && other !== node, target === "pair", kind);
        assert.ok(lastsMs >= lasts[0] * 1_000 && lastsMs <= lasts[1] * 1_000, `${kind}: ${lastsMs}`);
      }
      for (const [at, { faults: now }] of turns.entries()) {
        assert.ok(now.filter(({ kind }) => faultOf(kind).target !== "none").length <= 1);
        const over = (turns[at]?.at ?? 0) + Math.max(...now.map(({ lastsMs }) => lastsMs));
        assert.ok((turns[at + 1]?.at ?? Number.POSITIVE_INFINITY) >= over + CALM_MS);
      }
    });
  }

  test("has only the kinds that are asked for", () => {
    const turns = scheduleOf({ seed: 1, minutes: 2, nodes: NODES, kinds: ["speaker-kill"] });
    assert.ok(turns.length > 5);
    assert.ok(turns.every(({ faults }) => faults.length === 1 && faults[0]?.kind === "speaker-kill"));
  });
});

test("a fault is told as a sentence, with its nodes", () => {
  const pair = { kind: "pair-cut", node: "node1", other: "node3", lastsMs: 5_000 } as const;
  assert.equal(wordsOf(pair), "node1 and node3 hear nothing of each other (5 s)");
  assert.equal(wordsOf({ kind: "operator-kill", lastsMs: 0 }), "the operator is killed");
  for (const { what, target } of Object.values(FAULTS)) {
    assert.equal(what.includes("NODE"), target !== "none", what);
    assert.equal(what.includes("OTHER"), target === "pair", what);
  }
});
