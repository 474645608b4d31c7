/** Who owns an address, in all that can happen among a few nodes: small walks here, the large ones in `make model`. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { explore } from "./explore.ts";
import { RULES, type Rules } from "./rules.ts";
import { QUICK } from "./sizes.ts";
import { type Walked, walk } from "./walk.ts";

const told = ({ breach }: Walked): string => [breach?.what, ...(breach?.trace ?? [])].join("\n");

describe("all that can happen", () => {
  for (const { what, walk: size } of QUICK) {
    test(what, (t) => {
      const walked = walk(size);
      assert.equal(walked.breach, undefined, told(walked));
      assert.ok(walked.isWhole && walked.states > 1_000);
      const { states, steps, depth, twoMs, apartMs, noneMs, aloneMs } = walked;
      t.diagnostic(`${states} states, ${steps} steps, ${depth} half seconds deep`);
      t.diagnostic(`two ${twoMs} ms, apart ${apartMs} ms, none ${noneMs} ms, alone ${aloneMs} ms`);
    });
  }
});

describe("a faulty rule is found, by its shortest story", () => {
  interface Fault {
    readonly what: string;
    /** Which walk. */
    readonly at: number;
    readonly rules: Partial<Rules>;
    readonly breach: RegExp;
    /** Lines of the story. */
    readonly steps: number;
  }
  const faults: readonly Fault[] = [
    {
      what: "a higher epoch does not count",
      at: 0,
      rules: {
        hearClaims: (ownership, heard, isMember) => {
          const same = heard.filter(({ vip, epoch }) => epoch <= (ownership.claims.of(vip)?.epoch ?? epoch));
          return RULES.hearClaims(ownership, same, isMember);
        },
      },
      breach: /^two answer for/,
      steps: 8,
    },
    {
      what: "who is dead by gossip is alive until its Lease has run out",
      at: 1,
      rules: { combine: (input) => RULES.combine({ ...input, heard: new Map() }) },
      breach: /^nobody answers for/,
      steps: 7,
    },
  ];
  for (const { what, at, rules, breach, steps } of faults) {
    test(what, (t) => {
      const size = QUICK[at]?.walk;
      assert.ok(size !== undefined);
      const walked = walk(size, { ...RULES, ...rules });
      assert.match(walked.breach?.what ?? "nothing was found", breach);
      for (const line of told(walked).split("\n")) t.diagnostic(`${line}`);
      assert.equal(walked.breach?.trace.length, steps);
    });
  }
});

describe("the walk itself", () => {
  const count = (breachAt: number, mostDepth: number) =>
    explore<number>({
      starts: [{ what: "0", next: 0 }],
      stepsOf: (at) => [
        { what: "+1", next: at + 1 },
        { what: "+2", next: at + 2 },
        { what: "back", next: 0 },
      ],
      keyOf: String,
      breachOf: (at) => (at === breachAt ? `it is ${at}` : undefined),
      mostDepth,
    });

  test("finds the shortest way, and nothing beyond its depth", () => {
    assert.deepEqual(count(4, 9).breach, { what: "it is 4", trace: ["0", "+2", "+2"] });
    assert.equal(count(9, 4).breach, undefined);
    assert.deepEqual([count(9, 4).isWhole, count(9, 4).depth], [true, 4]);
  });

  test("looks at equal states once", () => {
    assert.equal(count(-1, 10).states, 21);
  });
});
