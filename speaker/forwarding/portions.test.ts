import assert from "node:assert/strict";
import { test } from "node:test";
import { addressKey, ownerOf } from "./elements.ts";
import { Entries } from "./entries.ts";
import { PORTION_SIZES, portionsOf } from "./portions.ts";
import { markOfKey, type ServerKey } from "./server-key.ts";
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

function changed(): { wanted: Wanted; due: Entries; portions: Entries[]; whole: Set<string> } {
  const wanted = new Wanted();
  wanted.update(inputOf(...ids(1, 1_000)));
  const entries = wanted.update(inputOf(...ids(501, 1_000)));
  const due = new Entries();
  due.addAll(entries);
  const portions = [...portionsOf(entries, wanted)];
  assert.equal(entries.size, 0, "what is handed out is taken out");
  const whole = new Set(portions.flatMap((portion) => portion.whole));
  return { wanted, due, whole, portions: portions.map((portion) => portion.entries) };
}

const textsOf = ({ servers, elements, routes }: Entries): string[] =>
  [
    ...Array.from(servers, String),
    ...routes,
    ...[...elements].flatMap(([set, keys]) => [...keys].map((key) => `${set} ${key}`)),
  ].sort();

test("portions are all that is due, each entry once", () => {
  const { due, portions } = changed();
  const all = new Entries();
  for (const portion of portions) all.addAll(portion);
  assert.equal(
    portions.reduce((sum, { size }) => sum + size, 0),
    due.size,
  );
  assert.deepEqual(textsOf(all), textsOf(due));
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
  const isComing = (key: ServerKey): boolean => wanted.servers.has(key);
  const coming = [...at.keys()].filter(isComing);
  const lastComing = Math.max(...coming.map((key) => at.get(key) ?? 0));
  for (const key of coming) assert.equal(at.get(key), owners.get(`mark ${markText(key)}`));
  for (const key of [...at.keys()].filter((one) => !isComing(one))) {
    assert.ok((at.get(key) ?? 0) > lastComing);
    assert.equal(at.get(key), owners.get(`mark ${markText(key)}`));
  }
});

test("an address is whole with the last portion that has anything of it", () => {
  const wanted = new Wanted();
  const due = wanted.update(inputOf(...ids(1, 1_000)));
  const done = new Entries();
  const seen = new Set<string>();
  for (const { entries, whole } of portionsOf(due, wanted)) {
    done.addAll(entries);
    for (const vip of whole) {
      seen.add(vip);
      assert.ok(done.routes.has(vip) && done.elements.get("vips4")?.has(addressKey(vip)), vip);
      for (const one of wanted.portsOf(vip)) assert.ok(done.servers.has(0x1000 | one.id), vip);
    }
  }
  assert.equal(seen.size, 1_000);
});

test("an address of which its servers alone are due is whole, too", () => {
  const wanted = new Wanted();
  const { ports, ...rest } = inputOf(...ids(1, 20));
  wanted.update({ ...rest, ports });
  const drained = ports.map(
    (one): ForwardedPort => ({
      ...one,
      endpoints: one.endpoints.map((endpoint) => ({ ...endpoint, isServing: false })),
    }),
  );
  const due = wanted.update({ ...rest, ports: drained });
  const portions = [...portionsOf(due, wanted, { few: 2, servers: 1, elements: 3, routes: 1 })];
  assert.deepEqual(new Set(portions.flatMap(({ whole }) => whole)), new Set(rest.vips));
});

test("routes that come are there before what goes, and those that go are the last", () => {
  const { wanted, portions } = changed();
  const last = (isWanted: boolean): number =>
    portions.findLastIndex(({ routes }) => [...routes].some((vip) => wanted.routes.has(vip) === isWanted));
  const firstGoing = portions.findIndex(({ servers }) =>
    [...servers].some((key) => !wanted.servers.has(key)),
  );
  assert.ok(last(true) < firstGoing);
  assert.equal(last(false), portions.length - 1);
  assert.ok(
    portions.slice(0, firstGoing).every(({ routes }) => [...routes].every((vip) => wanted.routes.has(vip))),
  );
});

test("a port that admits others goes with what it admitted before: the kernel refuses intervals that overlap", () => {
  const wanted = new Wanted();
  const { ports, ...rest } = inputOf(...ids(1, 200));
  const admitting = (range: string, weight: boolean) =>
    ports.map(
      (one): ForwardedPort => ({
        ...one,
        sourceRanges: [range],
        endpoints: one.endpoints.map((endpoint) => ({ ...endpoint, isServing: weight })),
      }),
    );
  wanted.update({ ...rest, ports: admitting("10.0.0.0/8", true) });
  const due = wanted.update({ ...rest, ports: admitting("10.0.0.0/9", false) });
  for (const { entries } of portionsOf(due, wanted)) {
    for (const set of ["admitted_tcp4", "admitted_ping4"]) {
      const keys = [...(entries.elements.get(set) ?? [])].map((key) => ownerOf(set, key));
      assert.equal(keys.length, 2 * new Set(keys).size, "both the old interval and the new one");
    }
  }
});

test("little is one portion", () => {
  const wanted = new Wanted();
  const due = wanted.update(inputOf(1, 2));
  const texts = textsOf(due);
  const portions = [...portionsOf(due, wanted)];
  assert.deepEqual(
    portions.map(({ entries }) => textsOf(entries)),
    [texts],
  );
  assert.deepEqual([...portionsOf(new Entries(), wanted)], []);
});

function markText(key: ServerKey): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(markOfKey(key));
  return bytes.toString("hex");
}
