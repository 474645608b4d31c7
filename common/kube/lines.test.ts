import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ConnectionError } from "#common/kube/error.ts";
import { LineSplitter } from "#common/kube/lines.ts";

function split(bytes: Buffer, cuts: readonly number[], maxBytes = 1_000): string[] {
  const splitter = new LineSplitter(maxBytes);
  const borders = [0, ...[...cuts].sort((a, b) => a - b), bytes.length];
  const lines: string[] = [];
  for (let at = 0; at + 1 < borders.length; at += 1) {
    for (const line of splitter.push(bytes.subarray(borders[at], borders[at + 1])))
      lines.push(line.toString("utf8"));
  }
  return lines;
}

test("any cut of the bytes gives the same lines, also within a character", () => {
  const line = fc
    .string({ unit: "grapheme", minLength: 1, maxLength: 20 })
    .filter((text) => !text.includes("\n"));
  const cases = fc.tuple(fc.array(line, { maxLength: 8 }), fc.array(fc.nat(400), { maxLength: 12 }));
  fc.assert(
    fc.property(cases, ([lines, cuts]) => {
      const bytes = Buffer.from(lines.map((text) => `${text}\n`).join(""));
      assert.deepEqual(
        split(
          bytes,
          cuts.filter((cut) => cut <= bytes.length),
        ),
        lines,
      );
    }),
  );
});

test("an unfinished line is kept back and counted", () => {
  const splitter = new LineSplitter(100);
  assert.deepEqual([...splitter.push(Buffer.from("a\nbc"))].map(String), ["a"]);
  assert.equal(splitter.pending, 2);
  assert.deepEqual([...splitter.push(Buffer.from("d\n\n"))].map(String), ["bcd"]);
  assert.equal(splitter.pending, 0);
});

test("a line that is too long is an error before it takes the memory", () => {
  assert.throws(
    () => split(Buffer.from("x".repeat(11)), [], 10),
    (error) => error instanceof ConnectionError && error.code === "TOO_LARGE",
  );
  assert.deepEqual(split(Buffer.from(`${"x".repeat(10)}\ny\n`), [3], 10), ["x".repeat(10), "y"]);
});
