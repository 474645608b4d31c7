import assert from "node:assert/strict";
import { test } from "node:test";
import { OwnTime } from "#hack/common/own-time.ts";
import { saidThoughStopped } from "#test/stopped.ts";

const PROGRAM = `
import { OwnTime } from "#hack/common/own-time.ts";
const time = new OwnTime();
const began = performance.now();
time.after(300, () => console.log(performance.now() - began));
setTimeout(() => console.log("runs"), 100);
setInterval(() => {}, 1000).unref();
`;

test("a process that stood still waits for as long as it stood", async () => {
  const said = await saidThoughStopped(PROGRAM, "runs");
  assert.ok(Number(said.split("\n")[1]) > 700, said);
});

test("what is taken back is not called, and what is waited for is", async () => {
  const time = new OwnTime();
  const called: string[] = [];
  time.after(1, () => called.push("taken back"))();
  await new Promise<void>((resolve) => void time.after(5, resolve));
  assert.deepEqual(called, []);
});
