import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { parseStat, ticksOfTree } from "#hack/lab/load.ts";

test("reads the parent and the processor time of a process with a difficult name", () => {
  const stat = "42 (a) b (c) S 7 40 39 0 -1 4194560 1 2 3 4 150 25 6 7 20 0 1 0 99 1000 10";
  assert.deepEqual(parseStat(stat), { pid: 42, parent: 7, ticks: 175 });
  assert.equal(parseStat(""), undefined);
});

test("reads this process", () => {
  const found = parseStat(readFileSync("/proc/self/stat", "utf8"));
  assert.equal(found?.pid, process.pid);
  assert.equal(found?.parent, process.ppid);
});

test("adds up what a process started, at any depth, and nothing else", () => {
  const processes = [
    { pid: 1, parent: 0, ticks: 1 },
    { pid: 5, parent: 1, ticks: 10 },
    { pid: 6, parent: 5, ticks: 100 },
    { pid: 7, parent: 6, ticks: 1_000 },
    { pid: 8, parent: 1, ticks: 10_000 },
  ];
  assert.equal(ticksOfTree(processes, 5), 1_110);
  assert.equal(ticksOfTree(processes, 99), 0);
});
