import assert from "node:assert/strict";
import { test } from "node:test";
import { excluder } from "#cli/exclude.ts";

const rows: readonly (readonly [pattern: string, path: string, isExcluded: boolean])[] = [
  ["charts", "deploy/charts/a.yaml", true],
  ["charts", "deploy/mycharts/a.yaml", false],
  ["*.tpl.yaml", "a/b/x.tpl.yaml", true],
  ["*.tpl.yaml", "a/b/x.yaml", false],
  ["charts/**", "charts/a/b.yaml", true],
  ["charts/**", "deploy/charts/a.yaml", false],
  ["**/templates/*.yaml", "charts/a/templates/x.yaml", true],
  ["**/templates/*.yaml", "templates/x.yaml", true],
  ["./deploy/", "deploy/a.yaml", true],
  ["a?.yaml", "x/ab.yaml", true],
  ["a?.yaml", "x/a.yaml", false],
  ["a+(b).yaml", "a+(b).yaml", true],
  ["a+(b).yaml", "aab.yaml", false],
];

test("patterns fit names anywhere, and paths from where they begin", () => {
  for (const [pattern, path, isExcluded] of rows) {
    assert.equal(excluder([pattern])([path]), isExcluded, `${pattern} ${path}`);
  }
  assert.equal(excluder([])(["a"]), false);
});
