/** The tables that pages come from say what the code does: nothing that nobody makes, nothing that they do not have. */
import assert from "node:assert/strict";
import { glob, readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { CONDITIONS } from "#api/v1beta1/condition-meanings.ts";
import { EVENTS } from "#api/v1beta1/event-reasons.ts";
import { LOADBALANCER_REASONS } from "#api/v1beta1/reasons/loadbalancer.ts";
import type { Meaning } from "#api/v1beta1/reasons/meaning.ts";
import { OTHER_REASONS } from "#api/v1beta1/reasons/others.ts";
import { SERVICE_REASONS } from "#api/v1beta1/reasons/service.ts";
import { SPEAKER_REASONS } from "#api/v1beta1/reasons/speakerstatus.ts";
import { REASONS } from "#api/v1beta1/reasons.ts";
import { OTHER_FINDINGS } from "#cli/status/other-findings.ts";
import { METRICS } from "#common/metric-table.ts";
import { COUNTERS } from "#speaker/forwarding/sets.ts";

const ROOT = new URL("../", import.meta.url).pathname;

async function texts(...patterns: readonly string[]): Promise<string> {
  const found: string[] = [];
  for await (const path of glob([...patterns], { cwd: ROOT })) {
    if (!/\.test\.ts$|\/generated\/|metric-table|condition-meanings|event-reasons|\/reasons/.test(path))
      found.push(await readFile(join(ROOT, path), "utf8"));
  }
  assert.ok(found.length > 0, patterns.join());
  return found.join("\n");
}

const CODE = ["common", "operator", "controller", "speaker", "console"].map((folder) => `${folder}/**/*.ts`);

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

test("every reason of an event is one that some code emits, and none is a condition's, too", async () => {
  const code = await texts(...CODE);
  assert.deepEqual(
    Object.keys(EVENTS).filter((reason) => !code.includes(`"${reason}"`) || reason in REASONS),
    [],
  );
});

test("every reason is one that some code gives, and no reason is in two tables", async () => {
  const code = await texts("api/**/*.ts", ...CODE);
  assert.deepEqual(
    Object.keys(REASONS).filter((reason) => !code.includes(`"${reason}"`)),
    [],
  );
  const all = [OTHER_REASONS, LOADBALANCER_REASONS, SERVICE_REASONS, SPEAKER_REASONS].flatMap(Object.keys);
  assert.deepEqual(all.sort(), Object.keys(REASONS).sort());
});

test("every condition has a reason, and every meaning is in whole sentences", () => {
  const reasons = Object.entries<Meaning>(REASONS);
  for (const type of Object.keys(CONDITIONS))
    assert.ok(
      reasons.some(([, { under }]) => under.some((one) => one === type)),
      type,
    );
  const sentences = [
    ...reasons.flatMap(([, { when, advice }]) => [when, advice]),
    ...Object.values(CONDITIONS).flatMap(({ isTrue, otherwise }) => [isTrue, otherwise]),
    ...Object.values(EVENTS).flatMap(({ when, advice }) => [when, advice]),
    ...Object.values(METRICS).map(({ meaning }) => meaning),
  ];
  for (const sentence of sentences) assert.match(sentence, /^\S+ .*\.$/);
});

test("every reason that the page of symptoms names is one that some object can have", async () => {
  const page = await texts("docs/troubleshooting.md");
  const known = new Set([...Object.keys(REASONS), ...Object.keys(EVENTS), ...Object.keys(CONDITIONS)]);
  const named = [...page.matchAll(/`([A-Z][a-z]+(?:[A-Z][a-z0-9]+)+|Degraded|Valid)`/g)].map(
    (match) => match[1] ?? "",
  );
  // What only `genkan status` says has its sentences there.
  const others = ["LoadBalancer", ...Object.keys(OTHER_FINDINGS)];
  assert.ok(named.length > 30, named.join());
  assert.deepEqual(
    [...new Set(named)].filter((name) => !known.has(name) && !others.includes(name)),
    [],
  );
});
