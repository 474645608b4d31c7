import assert from "node:assert/strict";
import { test } from "node:test";
import { rendered } from "#cli/rendered.ts";
import { ago, table } from "#cli/table.ts";

test("columns are as wide as their widest cell, and nothing in a cell reaches the terminal", () => {
  const text = table(
    ["NAME", "N", "WHY"],
    [
      ["a", 1, "\u001b[31mred"],
      ["longer", undefined, ""],
    ],
  );
  assert.equal(text, "NAME     N   WHY\na        1   \\u001b[31mred\nlonger   -   -\n");
});

test("ages are in the largest unit of which there are two", () => {
  const now = new Date("2026-01-03T00:00:00Z");
  const cases = [
    ["2026-01-02T23:59:01Z", "59s"],
    ["2026-01-02T23:58:00Z", "2m"],
    ["2026-01-01T01:00:00Z", "47h"],
    ["2025-12-31T00:00:00Z", "3d"],
    ["2026-01-03T00:00:05Z", "0s"],
    ["never", undefined],
    [undefined, undefined],
  ] as const;
  for (const [from, expected] of cases) assert.equal(ago(from, now), expected);
});

test("programs get plain JSON or YAML of the same value", () => {
  const answer = { text: "for people\n", value: { list: [{ name: "yes" }], none: [] }, exitCode: 0 } as const;
  assert.equal(rendered(answer, "table"), "for people\n");
  assert.deepEqual(JSON.parse(rendered(answer, "json")), answer.value);
  assert.equal(rendered(answer, "yaml"), "list:\n  - name: yes\nnone: []\n");
});
