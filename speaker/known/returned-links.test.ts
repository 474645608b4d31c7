import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeLink } from "./node-links.ts";
import { ReturnedLinks } from "./returned-links.ts";

const links = (...up: readonly boolean[]): NodeLink[] =>
  up.map((isUp, at) => ({ index: at + 1, name: `eth${at}`, hardware: "", isUp, mtu: 1_500, prefixes: [] }));

test("a link is back when it was down and is up, and once", () => {
  const returned = new ReturnedLinks();
  const see = (...up: boolean[]): string[] => returned.see(links(...up)).map(({ name }) => name);
  assert.deepEqual(see(true, true), []);
  assert.deepEqual(see(true, false), []);
  assert.deepEqual(see(true, true), ["eth1"]);
  assert.deepEqual(see(true, true), []);
});

test("one that goes and comes again as another one is not back", () => {
  const returned = new ReturnedLinks();
  returned.see(links(false));
  returned.see([]);
  assert.deepEqual(returned.see(links(true)), []);
});
