import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { watchHeld } from "#test/held.ts";
import { until } from "#test/until.ts";

const PROGRAM = `
import { watchHeld } from "#test/held.ts";
const held = await watchHeld();
console.log("watches");
process.stdin.once("data", () => console.log(held()));
`;

test("work of this process is none of the machine's; a process that stood still has counted it", async () => {
  const held = await watchHeld();
  const child = spawn(process.execPath, ["--input-type=module", "-e", PROGRAM], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  let said = "";
  child.stdout.on("data", (data) => {
    said += data;
  });
  await until("the child to watch", () => said.includes("watches\n"));
  child.kill("SIGSTOP");
  const began = performance.now();
  await until("half a second", () => performance.now() - began > 500);
  child.kill("SIGCONT");
  child.stdin.end("?\n");
  await once(child, "close");
  assert.ok(Number(said.split("\n")[1]) > 400, said);
  assert.ok(held() >= 0);
});
