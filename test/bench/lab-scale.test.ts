import assert from "node:assert/strict";
import { test } from "node:test";
import { type Figures, growthOf, page } from "./lab-scale-page.ts";
import { addressOf, isSampled, sliceOf } from "./lab-scale-world.ts";
import { writesIn, writesSince } from "./lab-scale-writes.ts";

const WORLD = { services: 10_000, endpoints: 10, node: "n1" };

test("no two pods have one address", () => {
  const addresses = new Set<string>();
  for (let at = 0; at < WORLD.services; at += 1)
    for (let pod = 0; pod < WORLD.endpoints; pod += 1) addresses.add(addressOf(at, pod, WORLD));
  assert.equal(addresses.size, 100_000);
  assert.equal(sliceOf(3, WORLD).endpoints?.[1]?.addresses[0], addressOf(3, 1, WORLD));
  assert.deepEqual([0, 1, 50].map(isSampled), [true, false, true]);
});

test("writes are counted by what is written, and previews and reads are not", () => {
  const line = (labels: string, count: number) => `apiserver_request_total{${labels}} ${count}`;
  const status = 'dry_run="",resource="services",subresource="status"';
  const before = writesIn(line(`code="200",${status},verb="PATCH"`, 5));
  const after = writesIn(
    [
      "# HELP apiserver_request_total how many",
      line(`code="200",${status},verb="PATCH"`, 12),
      line(`code="409",${status},verb="PATCH"`, 1),
      line('code="200",dry_run="",resource="services",subresource="",verb="LIST"', 40),
      line('code="201",dry_run="All",resource="services",subresource="",verb="POST"', 40),
      line('code="201",dry_run="",resource="events",subresource="",verb="POST"', 2),
    ].join("\n"),
  );
  assert.deepEqual(writesSince(before, after), { "PATCH services/status": 8, "POST events": 2 });
  assert.deepEqual(writesSince(after, after), {});
});

const figures = (changes: Partial<Figures["measured"]> = {}): Figures => ({
  ...{ services: 5_000, endpoints: 20, date: "2026-01-02", rate: 100, minutes: 1 },
  ...{ madeSeconds: 40, addressedSeconds: 41, coldSeconds: 12, changes: 6_000, churnSeconds: 60 },
  cold: { marks: 10_000, destinations: 200_000 },
  writesMaking: { "PATCH services/status": 5_000, "POST services": 5_000, "PATCH leases": 3 },
  writesChurn: { "PATCH endpointslices": 6_000, "PATCH leases": 60 },
  measured: {
    ...{ samples: 240, lateSamples: 0, lag: { p50: 20, p99: 150, max: 160 } },
    ...{ lagAfterAnswer: { p50: 10, p99: 140 }, loop: { p50: 4, max: 30, longest: 70 } },
    ...{ rss: Array.from({ length: 60 }, () => 100), heap: [50], descriptors: [40, 40] },
    ...{ cpu: 0.2, received: 12_000_000 },
    ...changes,
  },
  compared: { wrong: 0, afterMs: 900, marks: 10_000 },
  ...{ load: "calm", loadMaking: "calm" },
});

test("the page holds each figure to its bar", () => {
  const text = page([figures()]);
  assert.match(text, /\| 100; 100; 1\.0 min \|/);
  assert.match(text, /PATCH services\/status 1\.00 \|/);
  assert.match(text, /while slices changed, beside the slices \| PATCH leases 60 \|/);
  assert.doesNotMatch(text, /missed/);
  assert.match(page([figures({ lag: { p50: 20, p99: 201, max: 300 } })]), /bar 200 ms \| \*\*missed\*\*/);
  assert.match(page([figures({ lateSamples: 1 })]), /bar 200 ms \| \*\*missed\*\*/);
  assert.match(page([figures({ loop: { p50: 4, max: 51, longest: 60 } })]), /bar 50 ms \| \*\*missed\*\*/);
});

test("memory that goes on growing is not flat", () => {
  const rss = Array.from({ length: 60 }, (_, at) => 100 + at);
  assert.equal(growthOf({ rss }).isFlat, false);
  assert.equal(growthOf(figures().measured).isFlat, true);
});
