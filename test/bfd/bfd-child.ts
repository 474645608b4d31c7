/**
 * BFD as the speaker runs it, alone, for tests: each line of standard input is a JSON document {do, ...}, each line of
 * output one {event, ...}. Runs in a namespace of the test's.
 */
import { createInterface } from "node:readline";
import { systemClock } from "#common/clock.ts";
import { silentLogger } from "#common/log.ts";
import { createBfd } from "#speaker/bfd/bfd.ts";
import type { BfdPeer } from "#speaker/bfd/types.ts";

type Command =
  | { readonly do: "reconcile"; readonly peers: readonly BfdPeer[] }
  | { readonly do: "sessions" | "adminDown" | "stop" }
  /** Parses a document of that size and collects garbage, over and over with a rest between, until "calm". */
  | { readonly do: "load"; readonly megabytes: number; readonly restMs: number }
  | { readonly do: "calm" };

const say = (event: string, more: object = {}): void => {
  process.stdout.write(
    `${JSON.stringify({ event, monotonicMs: Number(process.hrtime.bigint()) / 1e6, ...more })}\n`,
  );
};
const bfd = createBfd({
  clock: systemClock,
  log: { ...silentLogger, error: (message, fields) => say("error", { message, ...fields }) },
  fifo: process.env.BFD_FIFO !== "0",
  policy: process.env.BFD_POLICY === "refuse" ? "refuse" : "raise",
});
bfd.onState((change) => say("change", { change }));

let isLoaded = false;
/** The main thread stands still for the length of a parse and of a collection, then rests, for one turn at least. */
async function load(megabytes: number, restMs: number): Promise<void> {
  const row = { metadata: { name: "service", labels: { a: "b" } }, spec: { ports: [1, 2, 3] } };
  const rows = Math.ceil((megabytes * 1e6) / JSON.stringify(row).length);
  const text = JSON.stringify(Array.from({ length: rows }, (_, at) => ({ ...row, at })));
  isLoaded = true;
  let longest = 0;
  while (isLoaded) {
    const start = performance.now();
    JSON.parse(text);
    globalThis.gc?.();
    longest = Math.max(longest, performance.now() - start);
    if (restMs > 0) await new Promise((resolve) => setTimeout(resolve, restMs));
    else await new Promise((resolve) => setImmediate(resolve));
  }
  say("calm", { longestMs: longest });
}

for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line) as Command;
  switch (command.do) {
    case "reconcile":
      bfd.reconcile(command.peers);
      break;
    case "sessions":
      say("sessions", { sessions: bfd.sessions(), scheduling: bfd.scheduling, discards: bfd.discards() });
      break;
    case "load":
      void load(command.megabytes, command.restMs);
      break;
    case "calm":
      isLoaded = false;
      break;
    case "adminDown":
      await bfd.adminDown();
      say("adminDown");
      break;
    case "stop":
      await bfd.stop();
      say("stopped");
      break;
  }
}
await bfd.stop();
