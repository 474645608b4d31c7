import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { OwnTime } from "#hack/common/own-time.ts";
import { until } from "#test/until.ts";

const PROGRAM = `
import { OwnTime } from "#hack/common/own-time.ts";
const time = new OwnTime();
const began = performance.now();
time.after(300, () => console.log(performance.now() - began));
setTimeout(() => console.log("runs"), 100);
setInterval(() => {}, 1000).unref();
`;

test("a process that stood still waits for as long as it stood", async () => {
  const child = spawn(process.execPath, ["--input-type=module", "-e", PROGRAM], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let said = "";
  child.stdout.on("data", (data) => {
    said += data;
  });
  await until("the child to run", () => said.includes("runs\n"));
  child.kill("SIGSTOP");
  const began = performance.now();
  await until("half a second", () => performance.now() - began > 500);
  child.kill("SIGCONT");
  await once(child, "close");
  assert.ok(Number(said.split("\n")[1]) > 700, said);
});

test("what is taken back is not called, and what is waited for is", async () => {
  const time = new OwnTime();
  const called: string[] = [];
  time.after(1, () => called.push("taken back"))();
  await new Promise<void>((resolve) => void time.after(5, resolve));
  assert.deepEqual(called, []);
});
