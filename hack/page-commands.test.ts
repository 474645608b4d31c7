/** Every command of a page is run by a test, or it is said why not. */
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { COMMANDS } from "#hack/page-commands.ts";

const ROOT = new URL("../", import.meta.url).pathname;
const read = (path: string): string => readFileSync(join(ROOT, path), "utf8");

/** Headings under which a page has a block of `sh`, each once, and the commands below them. */
function blocksOf(text: string): Map<string, string[]> {
  const found = new Map<string, string[]>();
  let heading = "";
  let block: string[] | undefined;
  for (const line of text.split("\n")) {
    if (line.trim().startsWith("```")) {
      const language = line.trim().slice(3);
      if (block !== undefined) block = undefined;
      else {
        block = /^(sh|bash|shell|console)$/.test(language) ? (found.get(heading) ?? []) : [];
        if (language !== "" && block.length === 0 && /^(sh|bash|shell|console)$/.test(language))
          found.set(heading, block);
      }
    } else if (block !== undefined) block.push(line.trim());
    else if (/^#+ /.test(line)) heading = line.replace(/^#+ /, "");
  }
  return found;
}

const PAGES = globSync(["*.md", "docs/**/*.md"], { cwd: ROOT }).sort();

test("each block of commands is in the table, and each row of the table is on its page", () => {
  const found = PAGES.flatMap((page) =>
    [...blocksOf(read(page)).keys()].map((heading) => `${page}: ${heading}`),
  );
  const known = Object.entries(COMMANDS).flatMap(([page, headings]) =>
    Object.keys(headings).map((heading) => `${page}: ${heading}`),
  );
  assert.ok(found.length > 30, `${found.length} blocks`);
  assert.deepEqual(found.sort(), known.sort());
});

test("the tests that are named take the commands from the page, by its heading", () => {
  for (const [page, headings] of Object.entries(COMMANDS))
    for (const [heading, row] of Object.entries(headings))
      for (const path of "by" in row ? row.by : []) {
        const text = read(path);
        assert.ok(text.includes("commandsOf"), path);
        assert.ok(text.includes(`"${heading}"`), `${path}: ${page}: ${heading}`);
      }
});

test("goals of make that a page names are there", () => {
  const goals = new Set([...read("Makefile").matchAll(/^([a-z][a-z0-9-]*):/gm)].map(([, goal]) => goal));
  const missing = PAGES.flatMap((page) =>
    [...blocksOf(read(page)).values()].flat().flatMap((line) =>
      [...line.matchAll(/\bmake ([a-z][a-z0-9-]*)/g)]
        .map(([, goal]) => goal)
        .filter((goal) => !goals.has(goal))
        .map((goal) => `${page}: make ${goal}`),
    ),
  );
  assert.deepEqual(missing, []);
});
