import assert from "node:assert/strict";
import { test } from "node:test";
import { ownerOf } from "./elements.ts";
import { Entries } from "./entries.ts";
import { PORTION_SIZES, portionsOf } from "./portions.ts";
import type { ForwardedPort } from "./types.ts";
import { Wanted } from "./wanted.ts";

const port = (id: number): ForwardedPort => ({
  id,
  family: "IPv4",
  vip: `10.9.${id >> 8}.${id & 255}`,
  protocol: "TCP",
  port: 80,
  scheduler: "mh",
  affinity: false,
  preferLocal: false,
  endpoints: [{ address: "10.0.0.1", port: 80, isLocal: false, isServing: true, returnPath: "direct" }],
});
const inputOf = (...ids: number[]) => {
  const ports = ids.map(port);
  return { nodeAddresses: {}, ports, vips: ports.map(({ vip }) => vip) };
};
const ids = (from: number, count: number): number[] => Array.from({ length: count }, (_, at) => from + at);

function changed(): { wanted: Wanted; due: Entries; portions: Entries[] } {
  const wanted = new Wanted();
  wanted.update(inputOf(...ids(1, 1_000)));
  const due = wanted.update(inputOf(...ids(501, 1_000)));
  return { wanted, due, portions: [...portionsOf(due, wanted)] };
}

test("portions are all that is due, each entry once", () => {
  const { due, portions } = changed();
  const all = new Entries();
  for (const portion of portions) all.addAll(portion);
  assert.equal(
    portions.reduce((sum, { size }) => sum + size, 0),
    due.size,
  );
  assert.equal(all.without(due).size + due.without(all).size, 0);
  assert.ok(portions.every(({ servers }) => servers.size <= PORTION_SIZES.servers));
});

test("a port's server and its elements are in one portion; what goes comes last, with its mark", () => {
  const { wanted, portions } = changed();
  const at = new Map(portions.flatMap(({ servers }, index) => [...servers].map((key) => [key, index])));
  const owners = new Map<string, number>();
  for (const [index, { elements }] of portions.entries())
    for (const [set, keys] of elements) {
      for (const key of keys) {
        const owner = ownerOf(set, key);
        assert.equal(owners.get(owner) ?? index, index, `${owner} is in two portions`);
        owners.set(owner, index);
      }
    }
  const isComing = (key: string): boolean => wanted.servers.has(key);
  const coming = [...at.keys()].filter(isComing);
  const lastComing = Math.max(...coming.map((key) => at.get(key) ?? 0));
  for (const key of coming) assert.equal(at.get(key), owners.get(`mark ${markText(key)}`));
  for (const key of [...at.keys()].filter((one) => !isComing(one))) {
    assert.ok((at.get(key) ?? 0) > lastComing);
    assert.equal(at.get(key), owners.get(`mark ${markText(key)}`));
  }
});

test("little is one portion", () => {
  const wanted = new Wanted();
  const due = wanted.update(inputOf(1, 2));
  assert.deepEqual([...portionsOf(due, wanted)], [due]);
});

function markText(key: string): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(Number(key.split("/")[1]));
  return bytes.toString("hex");
}
