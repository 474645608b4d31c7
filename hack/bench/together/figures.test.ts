import assert from "node:assert/strict";
import { test } from "node:test";
import { type Figure, judgedOf, mainOf, readFigures } from "./figures.ts";

test("figures are the JSON objects with a name, and everything else is for people", () => {
  const output = [
    "[   3.1 s] guest: booting",
    '{"name":"pass-idle","p50_ms":3.1,"ratio":0.01,"against":"plan-cold","bar":0.02,"met":true}',
    '{"program":"genkan","benchmark":"power-cut-first-answer-v4","p99_ms":744,"runs":20}',
    '{"name":"cold","kernel":"real","ms":900,"list":[1]}',
    '{"ms":900}',
    "{broken",
    '{"name":"cold","kernel":"real","ms":901}',
  ].join("\n");
  assert.deepEqual(readFigures(output), [
    { name: "pass-idle", values: { p50_ms: 3.1, ratio: 0.01, against: "plan-cold", bar: 0.02, met: true } },
    { name: "genkan power-cut-first-answer-v4", values: { p99_ms: 744, runs: 20 } },
    { name: "cold (real)", values: { kernel: "real", ms: 901 } },
  ]);
});

const figure = (values: Figure["values"]): Figure => ({ name: "x", values });

const judged = [
  [
    "a ratio before a time",
    { p99_ms: 30, ratio: 0.5, bar: 1 },
    { key: "ratio", value: 0.5, bar: 1, part: 0.5 },
  ],
  ["a time", { p50_ms: 3, p99_ms: 30, bar: 50 }, { key: "p99_ms", value: 30, bar: 50, part: 0.6 }],
  [
    "a rate, which is to be no less",
    { ratio: 0.8, bar: 0.9, bar_is_least: true },
    { key: "ratio", value: 0.8, bar: 0.9, part: 0.9 / 0.8 },
  ],
  ["nothing lost, and nothing may be", { lost: 0, bar: 0 }, { key: "lost", value: 0, bar: 0, part: 1 }],
  ["a bar in words", { ratio: 0.5, bar: "ratio <= 2" }, undefined],
  ["no bar", { ratio: 0.5 }, undefined],
] as const;

for (const [what, values, wanted] of judged)
  test(`what a bar is about: ${what}`, () => assert.deepEqual(judgedOf(figure(values)), wanted));

test("a figure without any known key is compared by its first number", () => {
  assert.deepEqual(mainOf(figure({ unit: "x", bytes: 825 })), { key: "bytes", value: 825 });
  assert.equal(mainOf(figure({ unit: "x" })), undefined);
});
