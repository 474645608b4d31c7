/** Pages point at what is there: a link that leads nowhere, or a test that was renamed, is a fault of the change. */
import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync, statSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { test } from "node:test";
import { filesOf, headingsOf, linksOf, rowsUnder, sentencesOf, symbolsOf } from "./pages.ts";

const ROOT = new URL("../", import.meta.url).pathname;
const PAGES = globSync(["*.md", "docs/**/*.md", ".github/**/*.{md,yml}"], { cwd: ROOT }).sort();

const read = (path: string): string => readFileSync(join(ROOT, path), "utf8");
const oneLine = (text: string): string => text.replaceAll(/\s+/g, " ");

/** What is built is on some machines only: no page may point there. */
const BUILT = ["dist/**", "build/**", ".lab/**"];

/** From the root, or from the page's folder; undefined: there is no such file. */
function found(page: string, path: string): string | undefined {
  const places = [path, join(dirname(page), path)];
  return places.flatMap((place) => globSync(place.replace(/\/$/, ""), { cwd: ROOT, exclude: BUILT }))[0];
}

function linkFaults(page: string): string[] {
  return linksOf(read(page)).flatMap(({ path, heading }) => {
    const target = path === "" ? page : normalize(join(dirname(page), path));
    if (!existsSync(join(ROOT, target))) return [`${page}: the link ${path} leads to no file`];
    if (heading === undefined || headingsOf(read(target)).has(heading)) return [];
    return [`${page}: ${target} has no heading #${heading}`];
  });
}

function fileFaults(page: string): string[] {
  return filesOf(read(page)).flatMap(({ path, tests }) => {
    const file = found(page, path);
    if (file === undefined) return [`${page}: ${path} is no file`];
    if (tests.length === 0 || statSync(join(ROOT, file)).isDirectory()) return [];
    const text = oneLine(read(file));
    return tests.filter((name) => !text.includes(name)).map((name) => `${page}: ${path} has no "${name}"`);
  });
}

test("every link of a page leads to a file, and to a heading that it has", () => {
  assert.ok(PAGES.includes("README.md") && PAGES.includes("docs/security.md"), PAGES.join());
  assert.deepEqual(PAGES.flatMap(linkFaults), []);
});

test("every file and test that a page names is there", () => {
  assert.deepEqual(PAGES.flatMap(fileFaults), []);
});

test("every name that a page says is in a file of ours is there", () => {
  const faults = PAGES.flatMap((page) =>
    symbolsOf(read(page)).flatMap(({ name, path }) => {
      const file = found(page, path);
      return file !== undefined && read(file).includes(name) ? [] : [`${page}: ${path} has no ${name}`];
    }),
  );
  assert.deepEqual(faults, []);
});

test("each row of the table that says where to look names a file or a page", () => {
  const rows = rowsUnder(read("docs/architecture.md"), "Where to look");
  assert.ok(rows.length > 40, `${rows.length} rows`);
  const empty = rows.filter(
    ([, places = ""]) => filesOf(places).length === 0 && linksOf(places).length === 0,
  );
  assert.deepEqual(empty, []);
});

/** For a reader who is tired and whose first language is another. */
const MOST_WORDS = 40;

test("a sentence of a page is short enough to be read once, and people are they", () => {
  const faults = PAGES.filter((page) => !page.startsWith("docs/results/")).flatMap((page) =>
    sentencesOf(read(page))
      .filter(
        (sentence) =>
          sentence.split(" ").filter((word) => /\w/.test(word)).length > MOST_WORDS ||
          /\b(he|his|him|she|her)\b/.test(sentence),
      )
      .map((sentence) => `${page}: ${sentence}`),
  );
  assert.deepEqual(faults, []);
});

test("sentences: of paragraphs, lists and tables, without what is fenced or a comment", () => {
  const page =
    "# A head\n\nOne of\ntwo lines. And: more.\n\n- a\n- b\n\n| c | d |\n|---|---|\n| e. f | g |\n\n```sh\nh\n```\n<!-- i -->\n";
  assert.deepEqual(sentencesOf(page), [
    "# A head",
    "One of two lines.",
    "And:",
    "more.",
    "- a",
    "- b",
    "c",
    "d",
    "e.",
    "f",
    "g",
  ]);
});

test("names in a file, and rows of a table", () => {
  const page =
    "# A\n\n## B\n\n`rule` in\n`api/a.ts`, `#own` of `b.ts`, `c` and `d.ts`, `e.ts`: `f`, `g.ts`. In `h/i.ts`, `j` is\n\n| x | y |\n|---|---|\n| **z** | |\n| a \\| b | `c` |\n\n## D\n\n| e | f |\n|---|---|\n| g | h |\n";
  assert.deepEqual(symbolsOf(page), [
    { name: "rule", path: "api/a.ts" },
    { name: "own", path: "b.ts" },
    { name: "f", path: "e.ts" },
    { name: "j", path: "h/i.ts" },
  ]);
  assert.deepEqual(rowsUnder(page, "B"), [["a \\| b", "`c`"]]);
});

test("links: relative ones, with their headings", () => {
  const page =
    "[a](docs/a.md) [b](../b.md#two-words) [c](#here)\n[web](https://example.org/x.md)\n```sh\n[d](d.md)\n```\n";
  assert.deepEqual(linksOf(page), [
    { path: "docs/a.md", heading: undefined },
    { path: "../b.md", heading: "two-words" },
    { path: "", heading: "here" },
  ]);
});

test("headings: as a link names them", () => {
  assert.deepEqual(
    [...headingsOf("# How it fits\n\n## `make`, and why it's slow\n\n```sh\n# no heading\n```\n")],
    ["how-it-fits", "make-and-why-its-slow"],
  );
});

const NAMED: readonly { what: string; page: string; files: readonly object[] }[] = [
  {
    what: "a file",
    page: "see `speaker/plan/plan.ts`.",
    files: [{ path: "speaker/plan/plan.ts", tests: [] }],
  },
  { what: "a folder", page: "in `test/hostile`", files: [{ path: "test/hostile", tests: [] }] },
  {
    what: "tests, over the end of a line",
    page: '`speaker/plan/plan.test.ts`, "one\nid twice" and "an address..."; "else"',
    files: [{ path: "speaker/plan/plan.test.ts", tests: ["one id twice", "an address"] }],
  },
  { what: "a file's name alone", page: "`plan.ts` `pool.yaml`", files: [{ path: "plan.ts", tests: [] }] },
  {
    what: "several at once",
    page: "`config/crd/*.yaml`",
    files: [{ path: "config/crd/*.yaml", tests: [] }],
  },
  {
    what: "resources, made files, commands",
    page: "`services/status` `.lab/x.json` `node hack/a.ts`",
    files: [],
  },
];

for (const { what, page, files } of NAMED)
  test(`files in backticks: ${what}`, () => assert.deepEqual(filesOf(page), files));
