/**
 * A node's forwarding alone, for bare-nodes.ts: it forwards what it is told, and looks after it every second as a speaker
 * does. Standard input: a line of JSON for each ForwardingInput, "remove", or "idle", which does nothing. Standard output:
 * a line for each: `Done`. Argument, if there is one: how many operations it does with IPVS. Before one more it ends, as a
 * process that is killed.
 */
import { createInterface } from "node:readline";
import { systemClock } from "#common/clock.ts";
import { errorText } from "#common/error.ts";
import { Forwarding } from "#speaker/forwarding/forwarding.ts";
import type { ForwardingKernel, ServerTable } from "#speaker/forwarding/kernel.ts";
import { openForwardingKernel } from "#speaker/forwarding/open-kernel.ts";
import type { ForwardingInput } from "#speaker/forwarding/types.ts";
import type { Done } from "#test/dataplane/bare-nodes.ts";
import { writtenBy } from "#test/dataplane/server-table.ts";

const AGAIN_MS = 1_000;

const kernel = openForwardingKernel({ sysctlRoot: "/proc/sys" });
const [limit] = process.argv.slice(2);
const forwarding = new Forwarding(limit === undefined ? kernel : endingAfter(Number(limit)), {
  clock: systemClock,
  // The pass of the next second puts it right.
  onDrift: () => {},
});
let input: ForwardingInput | undefined;
let work: Promise<unknown> = Promise.resolve();

function endingAfter(limit: number): ForwardingKernel {
  const { servers } = kernel;
  let left = limit;
  const write: ServerTable["write"] = (operations) => {
    const refused = servers.write(operations.slice(0, left));
    if (left < operations.length) process.kill(process.pid, "SIGKILL");
    left -= operations.length;
    return refused;
  };
  return { ...kernel, servers: writtenBy(servers, write) };
}

/** One after the other. */
function next<T>(task: () => Promise<T>): Promise<T> {
  const done = work.then(task);
  work = done.catch(() => {});
  return done;
}

async function obey(line: string): Promise<Done> {
  if (line === "idle") return {};
  if (line === "remove") {
    input = undefined;
    await forwarding.remove();
    return {};
  }
  input = JSON.parse(line) as ForwardingInput;
  const { offered, tunnelTrouble, syncTrouble, isGathering, refused, conflicts } =
    await forwarding.reconcile(input);
  return {
    refused: [...refused.map(({ attempt, words }) => `${attempt}: ${words}`), ...conflicts],
    ...(offered === undefined ? {} : { offered }),
    ...(tunnelTrouble === undefined ? {} : { tunnelTrouble: tunnelTrouble.message }),
    ...(syncTrouble === undefined ? {} : { syncTrouble: syncTrouble.code }),
    ...(isGathering === true && { isGathering }),
  };
}

const timer = setInterval(() => {
  const last = input;
  if (last !== undefined) void next(() => forwarding.reconcile(last)).catch(() => {});
}, AGAIN_MS);
for await (const line of createInterface({ input: process.stdin })) {
  const done = await next(() => obey(line)).catch((error: unknown): Done => ({ error: errorText(error) }));
  process.stdout.write(`${JSON.stringify(done)}\n`);
}
clearInterval(timer);
process.exit(0);
