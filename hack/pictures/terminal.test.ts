/** Pictures of the command line. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { terminalSvg } from "./terminal.ts";
import { drawTerminals } from "./terminals.ts";

test("text is text, broken where a terminal breaks it, and markup in it is none", () => {
  const svg = terminalSvg({
    name: "a",
    title: "a < b",
    command: "genkan x",
    text: `BROKEN <b>&\n${"x".repeat(150)}\n`,
  });
  assert.match(svg, /<title id="title">a &lt; b<\/title>/);
  assert.match(svg, /<text class="t-fault"[^>]*>BROKEN &lt;b&gt;&amp;<\/text>/);
  assert.deepEqual(
    [...svg.matchAll(/>(x+)</g)].map(([, text = ""]) => text.length),
    [108, 42],
  );
});

test("both pictures show the fault and where it is", () => {
  const shown = drawTerminals().map(([file, svg]) => [file, svg.replaceAll(/<[^>]+>\n?/g, "")] as const);
  assert.deepEqual(
    shown.map(([file]) => file),
    ["docs/pictures/cli-explain.svg", "docs/pictures/cli-status.svg"],
  );
  for (const [file, text] of shown) assert.match(text, /n2: .*ConntrackFull/, file);
});
