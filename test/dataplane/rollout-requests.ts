/**
 * Program in the client: requests one after the other in several rows, each on a connection of its own: a line is sent,
 * and the same has to come back behind the greeting. Arguments: addresses joined by commas, port, rows. At the end of
 * the input it finishes what it has begun, prints a RequestReport as one line of JSON, and ends.
 */
import { connect } from "node:net";
import { OwnTime } from "#hack/common/own-time.ts";
import type { RequestReport } from "#test/dataplane/rollout-scenes.ts";

const [addresses = "", port = "", rows = ""] = process.argv.slice(2);
const targets = addresses.split(",");
/** TCP sends a SYN that was lost again after a second, and then after two more. */
const PATIENCE_MS = 10_000;
const PAUSE_MS = 20;

const time = new OwnTime();
const report: RequestReport = { done: 0, failures: [] };
let isOver = false;

function request(address: string, text: string): Promise<void> {
  return new Promise((resolve) => {
    let heard = "";
    const socket = connect({ host: address, port: Number(port) });
    const end = (failure?: string): void => {
      takeBack();
      socket
        .removeAllListeners()
        .on("error", () => undefined)
        .destroy();
      if (failure === undefined) report.done += 1;
      else report.failures.push(`${address}: ${failure}`);
      resolve();
    };
    const takeBack = time.after(PATIENCE_MS, () => end("no answer"));
    socket.on("connect", () => socket.write(text));
    socket.on("data", (chunk) => {
      heard += chunk.toString();
      if (heard.endsWith(text)) end();
    });
    socket.on("error", (error) => end(String(error)));
    socket.on("close", () => end("closed"));
  });
}

async function row(at: number): Promise<void> {
  for (let turn = at; !isOver; turn += 1) {
    await request(targets[turn % targets.length] ?? "", `${at} ${turn}\n`);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

const all = Promise.all(Array.from({ length: Number(rows) }, (_, at) => row(at)));
process.stdin.resume().on("end", () => {
  isOver = true;
});
await all;
process.stdout.write(`${JSON.stringify(report)}\n`);
