import assert from "node:assert/strict";
import { test } from "node:test";
import { watchHeld } from "#test/held.ts";
import { saidThoughStopped } from "#test/stopped.ts";

const PROGRAM = `
import { watchHeld } from "#test/held.ts";
const held = await watchHeld();
console.log("watches");
process.stdin.once("data", () => console.log(held()));
`;

test("work of this process is none of the machine's; a process that stood still has counted it", async () => {
  const held = await watchHeld();
  const said = await saidThoughStopped(PROGRAM, "watches");
  assert.ok(Number(said.split("\n")[1]) > 400, said);
  assert.ok(held() >= 0);
});
