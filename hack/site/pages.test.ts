/** The pages of the site: all are in it, and their links lead where they led in the repository. */
import assert from "node:assert/strict";
import { globSync } from "node:fs";
import { test } from "node:test";
import { deadLinks, forSite, groupsOf } from "./pages.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

test("every page is in the list at the side, once, but for figures; new ones too", () => {
  const pages = globSync(["*.md", "docs/**/*.md"], { cwd: ROOT });
  const listed = (all: readonly string[]): string[] =>
    groupsOf(all)
      .flatMap((group) => group.pages)
      .sort();
  assert.deepEqual(listed(pages), pages.filter((page) => !page.startsWith("docs/results/")).sort());
  assert.deepEqual(groupsOf(["docs/new.md"]).at(-1), { title: "More", pages: ["docs/new.md"] });
});

test("links to pages and pictures stay, others become their words", () => {
  const pages = new Set(["README.md", "docs/bgp.md", "docs/bfd.md"]);
  const site = (text: string, page: string): string => forSite(text, page, pages);
  assert.equal(site("[a](bfd.md#x) [b](../README.md)", "docs/bgp.md"), "[a](./bfd.md#x) [b](../index.md)");
  assert.equal(site("[a](docs/bgp.md)", "README.md"), "[a](./docs/bgp.md)");
  assert.equal(site("![p](pictures/p.svg)", "docs/bgp.md"), "![p](./pictures/p.svg)");
  assert.equal(
    site("[licence](LICENSE), [x](https://example.com)", "README.md"),
    "licence, [x](https://example.com)",
  );
  assert.equal(site("```sh\n[a](LICENSE)\n```\n", "README.md"), "```sh\n[a](LICENSE)\n```\n");
  assert.equal(site("[up](#top)", "README.md"), "[up](#top)");
});

test("a link to no page, or to no heading, is dead", () => {
  const dead = (html: string): string[] =>
    deadLinks(
      new Map([
        ["/index.html", html],
        ["/docs/bgp.html", '<h2 id="peers">'],
      ]),
    );
  assert.deepEqual(
    dead('<a href="./docs/bgp.html#peers"><a href="/docs/bgp"><a href="https://example.com/x">'),
    [],
  );
  assert.equal(dead('<a href="./docs/bgp.html#nobody">').length, 1);
  assert.equal(dead('<a href="/docs/bgpp.html">').length, 1);
  assert.deepEqual(dead('<link href="/assets/style.css"><a href="/">'), []);
});
