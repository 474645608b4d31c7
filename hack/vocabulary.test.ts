/** The tables that pages come from say what the code does: nothing that nobody makes, nothing that they do not have. */
import assert from "node:assert/strict";
import { glob, readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { METRICS } from "#common/metric-table.ts";
import { COUNTERS } from "#speaker/forwarding/sets.ts";

const ROOT = new URL("../", import.meta.url).pathname;

async function texts(...patterns: readonly string[]): Promise<string> {
  const found: string[] = [];
  for await (const path of glob([...patterns], { cwd: ROOT })) {
    if (!/\.test\.ts$|\/generated\/|metric-table|vocabulary/.test(path))
      found.push(await readFile(join(ROOT, path), "utf8"));
  }
  assert.ok(found.length > 0, patterns.join());
  return found.join("\n");
}

const CODE = ["common", "operator", "controller", "speaker"].map((folder) => `${folder}/**/*.ts`);

test("every metric of the table is one that some process sets", async () => {
  const code = await texts(...CODE);
  const unset = Object.keys(METRICS).filter((name) => !code.includes(`"${name}"`));
  assert.deepEqual(unset, []);
});

test("a metric whose name ends with _total is a counter, and no page names one that is not there", async () => {
  const wrong = Object.entries(METRICS).filter(
    ([name, { type }]) => name.endsWith("_total") !== (type === "counter"),
  );
  assert.deepEqual(wrong, []);
  const named = (await texts("docs/*.md", "README.md")).match(/\bgenkan_[a-z0-9]\w*/g) ?? [];
  assert.deepEqual([...new Set(named)].filter((name) => !(name in METRICS)).sort(), []);
});

test("the reasons for which packets are turned away are those that are counted", () => {
  const { reason } = METRICS.genkan_forwarding_turned_away_packets_total.labels;
  assert.deepEqual((reason.match(/\w+(?=`)/g) ?? []).sort(), Object.values(COUNTERS).sort());
});
