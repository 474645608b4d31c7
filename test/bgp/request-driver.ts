/**
 * Program in the client: a new connection to each address again and again, each greeted, echoed and closed. Argument:
 * JSON RequestPlan. When its input ends it begins no more, waits for those under way, and prints a RequestSummary.
 */
import { connect } from "node:net";
import { OwnTime } from "#hack/common/own-time.ts";
import type { RequestPlan, RequestSummary } from "#test/bgp/requests.ts";

const plan = JSON.parse(process.argv[2] ?? "{}") as RequestPlan;
const QUESTION = "how do you do\n";
const summary: RequestSummary = { asked: 0, answered: 0, failures: {}, slowestMs: 0 };
const time = new OwnTime();
const underWay = new Set<Promise<void>>();

function ask(host: string): Promise<void> {
  const began = performance.now();
  summary.asked += 1;
  return new Promise((resolve) => {
    let heard = "";
    const socket = connect({ host, port: plan.port });
    const end = (failure?: string): void => {
      socket.destroy();
      takeBack();
      if (failure === undefined) summary.answered += 1;
      else summary.failures[failure] = (summary.failures[failure] ?? 0) + 1;
      summary.slowestMs = Math.max(summary.slowestMs, Math.round(performance.now() - began));
      resolve();
    };
    const takeBack = time.after(plan.timeoutMs, () => end("no answer"));
    socket.on("data", (bytes: Buffer) => {
      const wasGreeted = heard.includes("\n");
      heard += bytes.toString();
      if (!wasGreeted && heard.includes("\n")) socket.write(QUESTION);
      if (heard.endsWith(QUESTION)) end();
    });
    socket.once("error", (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
    socket.once("end", () => end("closed"));
  });
}

const timer = setInterval(() => {
  for (const address of plan.addresses) {
    const request = ask(address).finally(() => underWay.delete(request));
    underWay.add(request);
  }
}, plan.intervalMs);
process.stdin.resume();
process.stdin.once("end", async () => {
  clearInterval(timer);
  await Promise.all(underWay);
  process.stdout.write(`${JSON.stringify(summary)}\n`, () => process.exit(0));
});
