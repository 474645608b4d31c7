import assert from "node:assert/strict";
import { test } from "node:test";
import { NamespaceTurns } from "#controller/allocation/namespace-turns.ts";

const ALL = (): boolean => true;

function drain(turns: NamespaceTurns, mayTake: (key: string) => boolean = ALL): string[] {
  const taken: string[] = [];
  for (let key = turns.take(mayTake); key !== undefined; key = turns.take(mayTake)) taken.push(key);
  return taken;
}

test("keys of one namespace come in their order, each once", () => {
  const turns = new NamespaceTurns();
  for (const key of ["a/1", "a/2", "a/1", "a/3"]) turns.add(key);
  assert.equal(turns.size, 3);
  assert.deepEqual(drain(turns), ["a/1", "a/2", "a/3"]);
  assert.equal(turns.size, 0);
});

test("namespaces take turns, whoever came first and however much one has", () => {
  const turns = new NamespaceTurns();
  for (let at = 0; at < 1_000; at += 1) turns.add(`a/${at}`);
  turns.add("b/1");
  turns.add("b/2");
  turns.add("c/1");
  assert.deepEqual(drain(turns).slice(0, 6), ["a/0", "b/1", "c/1", "a/1", "b/2", "a/2"]);
});

test("one who adds for every key that is taken delays nobody", () => {
  const turns = new NamespaceTurns();
  for (let at = 0; at < 10; at += 1) turns.add(`a/${at}`);
  turns.add("b/1");
  for (let at = 10; turns.has("b/1"); at += 1) {
    assert.ok(at < 13, "b waits for more than a turn");
    turns.take(ALL);
    turns.add(`a/${at}`);
  }
});

test("what may not be taken yet is passed over and stays", () => {
  const turns = new NamespaceTurns();
  for (const key of ["a/1", "a/2", "b/1"]) turns.add(key);
  assert.deepEqual(
    drain(turns, (key) => key !== "a/1"),
    ["a/2", "b/1"],
  );
  assert.deepEqual(drain(turns), ["a/1"]);
});
