import assert from "node:assert/strict";
import { test } from "node:test";
import type { Way } from "#console/way.ts";
import { ago } from "./ago.ts";
import { drawingOf } from "./drawing.ts";
import { hashOf, placeOf } from "./place.ts";
import { bytes, ratesText } from "./rate.ts";

const PLACES: readonly (readonly [hash: string, view: string, name: string | undefined, query: object])[] = [
  ["", "overview", undefined, {}],
  ["#/services?search=a+b&only=broken", "services", undefined, { search: "a b", only: "broken" }],
  ["#/service/shop/web", "service", "shop/web", {}],
  ["#/service/shop", "overview", undefined, {}],
  ["#/node/n1?drain=yes", "node", "n1", { drain: "yes" }],
  ["#/node/n1/n2", "overview", undefined, {}],
  ["#/service/%E0%A4%A/web", "service", "%E0%A4%A/web", {}],
  ["#/__proto__", "overview", undefined, {}],
];
for (const [hash, view, name, query] of PLACES)
  test(`"${hash}" is ${view} ${name ?? ""}`, () => {
    const place = placeOf(hash);
    assert.deepEqual([place.view, place.name, place.query], [view, name, query]);
    assert.deepEqual(placeOf(hashOf(place)), place);
  });

test("times are in the largest unit of which there are two", () => {
  const at = "2026-01-03T00:00:00Z";
  assert.deepEqual(
    ["2026-01-03T00:00:05Z", "2026-01-02T23:58:01Z", "2026-01-02T23:57:59Z", "2026-01-01T00:00:00Z", "x"].map(
      (since) => ago(since, at),
    ),
    ["0 s", "119 s", "2 min", "2 d", ""],
  );
  assert.equal(ago(undefined, at), "");
});

const way = (parts: Partial<Way>): Way => ({
  addresses: [],
  sessions: [],
  pods: [],
  podsLeftOut: 0,
  traffic: [],
  ...parts,
});
const pod = (number: number, isReady = true) => ({
  address: `10.0.0.${number}`,
  node: `n${number}`,
  isReady,
});

test("a layer 2 way goes from the network over its one node to all pods; what is not ready is marked", () => {
  const { boxes, lines, rows } = drawingOf(
    way({
      addresses: [{ address: "192.0.2.1", protocol: "layer2", nodes: ["n1"] }],
      pods: [pod(1), pod(2, false)],
    }),
  );
  assert.deepEqual(
    lines.map(({ from, to, isBad }) => `${from} > ${to}${isBad ? " bad" : ""}`),
    ["network > node n1", "node n1 > pod 10.0.0.1", "node n1 > pod 10.0.0.2 bad"],
  );
  assert.deepEqual(
    boxes.map(({ column, row, text }) => [column, row, text]),
    [
      [0, 0, "local network"],
      [1, 0, "n1"],
      [2, 0, "10.0.0.1"],
      [2, 1, "10.0.0.2"],
    ],
  );
  assert.equal(rows, 2);
});

test("a BGP way begins at the peers; a peer that no session reaches is marked, and so is each line that is down", () => {
  const nodes = ["n1", "n2"];
  const { boxes, lines } = drawingOf(
    way({
      addresses: [{ address: "192.0.2.1", protocol: "bgp", nodes }],
      sessions: [
        { node: "n1", peer: "a", isUp: true },
        { node: "n2", peer: "a", isUp: false },
        { node: "n1", peer: "b", isUp: false },
        { node: "n9", peer: "c", isUp: true },
      ],
      pods: [pod(1)],
    }),
  );
  assert.deepEqual(
    boxes.filter(({ column }) => column === 0).map(({ text, isBad }) => [text, isBad]),
    [
      ["a", false],
      ["b", true],
    ],
  );
  assert.deepEqual(
    lines.filter(({ from }) => from.startsWith("peer")).map(({ isBad }) => isBad),
    [false, true, true],
  );
});

test("where nothing attracts or nothing serves, a box says so; a hundred nodes are counted", () => {
  assert.deepEqual(
    drawingOf(way({})).boxes.map(({ text, isBad }) => [text, isBad]),
    [
      ["no node", true],
      ["no pod", true],
    ],
  );
  const nodes = Array.from({ length: 100 }, (_, at) => `n${at}`);
  const { boxes, lines } = drawingOf(
    way({ addresses: [{ address: "192.0.2.1", protocol: "bgp", nodes }], pods: [pod(1)], podsLeftOut: 500 }),
  );
  assert.deepEqual(
    boxes.filter(({ text }) => text.startsWith("and")).map(({ text }) => text),
    ["and 88 more nodes", "and 500 more pods"],
  );
  const keys = new Set(boxes.map(({ key }) => key));
  assert.ok(lines.every(({ from, to }) => keys.has(from) && keys.has(to)));
});

test("bytes in the unit in which they are read, and what comes in at the node that takes it", () => {
  assert.deepEqual([0, 7, 999, 1_000, 1_500, 9_960, 15_400, 999_600, 2_500_000, 3e12, 7e15].map(bytes), [
    "0 B",
    "7 B",
    "999 B",
    "1 kB",
    "1.5 kB",
    "10 kB",
    "15 kB",
    "1 MB",
    "2.5 MB",
    "3 TB",
    "7000 TB",
  ]);
  const rates = { connectionsPerMinute: 3, packetsPerSecond: 5, bytesPerSecond: 1_500 };
  assert.deepEqual([ratesText(rates), ratesText(undefined)], ["1.5 kB/s, 3 connections/min", ""]);
  const { boxes } = drawingOf(
    way({
      addresses: [{ address: "192.0.2.1", protocol: "bgp", nodes: ["n1", "n2"] }],
      traffic: [{ node: "n1", ...rates }],
    }),
  );
  assert.deepEqual(
    boxes.filter(({ key }) => key.startsWith("node ")).map(({ small }) => small),
    ["1.5 kB/s in, 192.0.2.1", "192.0.2.1"],
  );
});
