import assert from "node:assert/strict";
import { test } from "node:test";
import { watchHeld } from "#test/held.ts";
import { saidThoughStopped } from "#test/stopped.ts";

const PROGRAM = `
import { watchHeld } from "#test/held.ts";
const held = await watchHeld();
console.log("watches");
// The thread that counts may be given a processor later than this one.
const end = performance.now() + 10_000;
const isCounted = () => held() > 400 || performance.now() > end;
process.stdin.once("data", async () => {
  while (!isCounted()) await new Promise((resolve) => setTimeout(resolve, 5));
  console.log(held());
});
`;

test("work of this process is none of the machine's; a process that stood still has counted it", async () => {
  const held = await watchHeld();
  const said = await saidThoughStopped(PROGRAM, "watches");
  assert.ok(Number(said.split("\n")[1]) > 400, said);
  assert.ok(held() >= 0);
});
