import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { parse } from "yaml";
import { METRICS, type MetricDefinition } from "#common/metric-table.ts";
import { alertsOf, type RuleFile } from "#hack/monitoring/alerts.ts";
import { ROWS } from "#hack/monitoring/dashboard.ts";

const ROOT = new URL("../../", import.meta.url);
const { spec } = parse(readFileSync(new URL("config/monitoring/alerts.yaml", ROOT), "utf8")) as {
  spec: RuleFile;
};
const asked = [
  ...alertsOf(spec).map(({ alert, expr }) => [alert, expr] as const),
  ...ROWS.flatMap(({ panels }) =>
    panels.flatMap(({ title, series }) => Object.values(series).map((expr) => [title, expr] as const)),
  ),
];
/** Those that Prometheus gives to what it scrapes. */
const GIVEN = ["instance"];
const definitions: Readonly<Record<string, MetricDefinition>> = METRICS;

for (const [what, expr] of asked) {
  test(`${what}: asks for metrics that there are, by labels that they have`, () => {
    const used = [...expr.matchAll(/\b(genkan_\w+)(?:\{([^}]*)\})?/g)];
    assert.notEqual(used.length, 0);
    for (const [, name = "", matchers = ""] of used) {
      const labels = Object.keys(definitions[name]?.labels ?? assert.fail(`there is no ${name}`));
      for (const [, label = ""] of matchers.matchAll(/(\w+)(?:=~|!~|!=|=)"/g)) {
        assert.ok(labels.includes(label), `${name} has no label ${label}`);
      }
    }
    const common = used.map(([, name = ""]) => Object.keys(definitions[name]?.labels ?? {}));
    for (const [, list = ""] of expr.matchAll(/\bby \(([^)]*)\)/g)) {
      for (const label of list.split(",").map((text) => text.trim())) {
        const isThere = GIVEN.includes(label) || common.every((labels) => labels.includes(label));
        assert.ok(isThere, `not all have a label ${label}`);
      }
    }
  });

  test(`${what}: of a counter the growth, of a gauge the value`, () => {
    for (const [whole, , name = ""] of expr.matchAll(
      /(?:\b(\w+)\()?\b(genkan_\w+)(?:\{[^}]*\})?(?:\[\w+\])?/g,
    )) {
      const isGrowth = /^(rate|increase)\(.*\[\w+\]$/.test(whole);
      assert.equal(isGrowth, definitions[name]?.type === "counter", whole);
    }
  });
}
