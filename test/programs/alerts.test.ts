/** The alerts of config/monitoring by Prometheus' own tool: that it takes them, and when they fire (test/cases/alerts.yaml). */
import assert from "node:assert/strict";
import { type ExecFileException, execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { parse, stringify } from "yaml";

const ROOT = new URL("../../", import.meta.url);

interface Case {
  readonly case: string;
  /** In promtool's notation, a value a minute: `name{label="value"} 1x30`. */
  readonly series: readonly string[];
  readonly minute: number;
  /** Name of the alert -> how many times it fires then. */
  readonly firing: Readonly<Record<string, number>>;
}

const read = async (path: string): Promise<unknown> => parse(await readFile(new URL(path, ROOT), "utf8"));

let directory: string;
let cases: readonly Case[];
before(async () => {
  directory = await mkdtemp(join(tmpdir(), "genkan-alerts-"));
  const { spec } = (await read("config/monitoring/alerts.yaml")) as { spec: unknown };
  await writeFile(join(directory, "rules.yaml"), stringify(spec));
  cases = (await read("test/cases/alerts.yaml")) as readonly Case[];
});
after(() => rm(directory, { recursive: true }));

async function promtool(...argv: string[]): Promise<string> {
  return (await promisify(execFile)("promtool", argv, { cwd: directory })).stdout;
}

/** Resolves when all that is said of the cases holds; rejected with what does not. */
async function judge(judged: readonly Case[]): Promise<void> {
  const tests = judged.map(({ case: name, series, minute, firing }) => ({
    name,
    interval: "1m",
    input_series: series.map((text) => {
      const end = text.lastIndexOf("}") + 1;
      return { series: text.slice(0, end), values: text.slice(end).trim() };
    }),
    promql_expr_test: [
      {
        expr: 'count by (alertname) (ALERTS{alertstate="firing"})',
        eval_time: `${minute}m`,
        exp_samples: Object.entries(firing).map(([alertname, value]) => ({
          labels: `{alertname="${alertname}"}`,
          value,
        })),
      },
    ],
  }));
  const file = { rule_files: ["rules.yaml"], evaluation_interval: "1m", tests };
  await writeFile(join(directory, "tests.yaml"), stringify(file));
  await promtool("test", "rules", "tests.yaml");
}

test("Prometheus takes the alerts, all of them", async () => {
  assert.match(await promtool("check", "rules", "--lint-fatal", "rules.yaml"), /SUCCESS: 15 rules found/);
});

test("each fires when it should, and no other one", async () => {
  await judge(cases);
  const fired = new Set(cases.flatMap(({ firing }) => Object.keys(firing)));
  const text = await readFile(join(directory, "rules.yaml"), "utf8");
  const all = [...text.matchAll(/alert: (\w+)/g)].map(([, name]) => name);
  assert.deepEqual([...fired].sort(), all.sort(), "an alert that no case shows");
});

test("a case that is wrong is found", async () => {
  const wrong = cases.map((one) => ({ ...one, firing: { ...one.firing, GenkanNoLeader: 3 } }));
  await assert.rejects(judge(wrong.slice(0, 1)), (error: ExecFileException) =>
    String(error.stderr).includes("FAILED"),
  );
});
