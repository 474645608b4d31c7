/** A process that stands still for a while, for tests of who notices it. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { until } from "./until.ts";

const STOPPED_MS = 500;

/** Runs the text of a module, stops it for half a second when it has said `word`, and gives what it said to its end. */
export async function saidThoughStopped(program: string, word: string): Promise<string> {
  const child = spawn(process.execPath, ["--input-type=module", "-e", program], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  let said = "";
  child.stdout.on("data", (data) => {
    said += data;
  });
  await until("the child to run", () => said.includes(`${word}\n`));
  child.kill("SIGSTOP");
  const began = performance.now();
  await until("half a second", () => performance.now() - began > STOPPED_MS);
  child.kill("SIGCONT");
  child.stdin.end("?\n");
  await once(child, "close");
  return said;
}
