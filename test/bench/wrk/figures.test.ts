import assert from "node:assert/strict";
import { test } from "node:test";
import { figuresOf, type Sample } from "./figures.ts";
import { page } from "./page.ts";
import { plot } from "./plot.ts";

const sample = (way: string, perSecond: number, pods = 1): Sample => ({
  ...{ way, pods, kind: "keepalive", perSecond },
  ...{ p50Ms: 1, p99Ms: 2, failed: 0 },
});

test("medians of the rounds, what a way adds, and Genkan beside nginx where its pods are as far", () => {
  const figures = figuresOf([
    ...[9_000, 10_000, 30_000].map((rate) => sample("routed", rate)),
    sample("genkan", 8_000),
    sample("nginx", 5_000),
    sample("genkan-far", 6_000),
    sample("nginx-far", 2_000),
  ]);
  const by = new Map(figures.map((figure) => [figure.way, figure]));
  assert.equal(by.get("routed")?.per_second, 10_000);
  assert.equal(by.get("routed")?.added_us, undefined);
  assert.deepEqual(
    [by.get("genkan")?.added_us, by.get("genkan")?.ratio, by.get("genkan")?.met],
    [25, 1.6, false],
  );
  assert.equal(by.get("nginx")?.added_us, 100);
  assert.deepEqual([by.get("genkan-far")?.ratio, by.get("genkan-far")?.met], [3, true]);
  assert.equal(by.get("genkan-far")?.added_us, undefined);
});

test("the page has a row for each way, and the picture a band for each figure", () => {
  const figures = figuresOf([
    sample("routed", 10),
    sample("routed", 20, 40),
    sample("nginx", 5),
    sample("nginx", 4, 40),
  ]);
  const text = page(figures, {
    ...{ rounds: 1, seconds: 1, connections: 64, date: new Date(0), kernel: "a kernel", load: "idle" },
  });
  assert.match(text, /^\| routed \| 10 \(1, 2\) \| 20 \(1, 2\) \|/m);
  assert.equal(plot(figures).shapes.length, figures.length);
});
