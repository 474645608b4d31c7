/**
 * For how long the thread is held while 30 peers are told 10,000 routes each: as their sessions begin in one moment, when
 * all attributes change, for one route more, for all withdrawals and for all routes anew. Writes
 * docs/results/bgp-tables.md and ends with 1 where it is held for more than the bar.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { cpus, release } from "node:os";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { type Clock, systemClock } from "#common/clock.ts";
import { createBgp } from "#speaker/bgp/bgp.ts";
import type { Advertisement, WantedSession } from "#speaker/bgp/types.ts";
import { plainTransport, SETTINGS } from "#test/fakes/bgp-peer.ts";
import { until } from "#test/until.ts";

const PEERS = 30;
const ROUTES = 10_000;
const BAR_MS = 50;
const GRACEFUL_SHUTDOWN = 0xffff_0000;

const routes = (count: number, communities: readonly number[] = []): Advertisement[] =>
  Array.from({ length: count }, (_, at) => ({
    prefix: `198.${18 + (at >> 16)}.${(at >> 8) & 255}.${at & 255}/32`,
    communities,
    largeCommunities: [],
  }));

const readers = fork(new URL("./bgp-readers.ts", import.meta.url).pathname, [String(PEERS)]);
const [{ ports }] = (await once(readers, "message")) as [{ ports: readonly number[] }];
/** Of one turn of a timer: milliseconds of the processor, which other programs do not lengthen as they do the time. */
let longestTurnMs = 0;
const cpuMs = (): number => {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
};
const timed =
  (fn: () => void): (() => void) =>
  () => {
    const before = cpuMs();
    fn();
    longestTurnMs = Math.max(longestTurnMs, cpuMs() - before);
  };
const clock: Clock = { ...systemClock, after: (ms, fn) => systemClock.after(ms, timed(fn)) };
const bgp = createBgp({ clock, transport: plainTransport, listenPort: undefined });
let updatesBefore = 0;
const reports = () => bgp.sessions();
const want = (advertisements: readonly Advertisement[]): void => {
  const wanted = ports.map((port, at): [string, WantedSession] => [
    `peer-${at}`,
    { settings: { ...SETTINGS, name: `peer-${at}`, port }, advertisements },
  ]);
  bgp.reconcile(new Map(wanted));
};

interface Figure {
  readonly what: string;
  readonly milliseconds: number;
  readonly heldMs: number;
  readonly turnMs: number;
  readonly updates: number;
}

const delays = monitorEventLoopDelay({ resolution: 1 });
const figures: Figure[] = [];

/** From the order until every session has been told so many prefixes, in at least so many UPDATEs each. */
async function measured(what: string, order: () => void, told: number, updates: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 500));
  delays.enable();
  // It counts from its first look on.
  await new Promise((resolve) => setTimeout(resolve, 20));
  delays.reset();
  longestTurnMs = 0;
  const start = performance.now();
  timed(order)();
  const isTold = (): boolean =>
    reports().every((one) => one.prefixesAdvertised === told) &&
    reports().reduce((sum, { updatesOut }) => sum + updatesOut, 0) - updatesBefore >= updates * PEERS;
  await until(what, isTold, { deadlineMs: 60_000, everyMs: 5 });
  const milliseconds = performance.now() - start;
  await new Promise((resolve) => setTimeout(resolve, 100));
  delays.disable();
  const sum = reports().reduce((all, { updatesOut }) => all + updatesOut, 0);
  figures.push({
    what,
    milliseconds,
    heldMs: delays.max / 1e6,
    turnMs: longestTurnMs,
    updates: sum - updatesBefore,
  });
  updatesBefore = sum;
}

const plain = routes(ROUTES);
const more = [...plain, ...routes(ROUTES + 1).slice(-1)];
want(plain);
const isConnected = (): boolean => reports().every(({ state }) => state === "OpenSent");
await until("the connections", isConnected, { deadlineMs: 10_000, everyMs: 20 });
await measured("sessions begin in one moment", () => readers.send("open"), ROUTES, 1);
await measured("one route more", () => want(more), ROUTES + 1, 1);
const going = routes(ROUTES, [GRACEFUL_SHUTDOWN]);
await measured("all get a community, and one goes", () => want(going), ROUTES, 4);
await measured("all are withdrawn", () => want([]), 0, 1);
await measured("all are told anew", () => want(plain), ROUTES, 1);
readers.disconnect();
await bgp.stop({ mode: "restart" });

const rounded = (value: number): number => Math.round(value * 10) / 10;
const rows = figures.map(
  ({ what, milliseconds, heldMs, turnMs, updates }) =>
    `| ${what} | ${rounded(milliseconds)} | ${rounded(heldMs)} | ${rounded(turnMs)} | ${updates} |\n`,
);
const text = `# BGP: how long many peers hold the thread

\`make bench-bgp\`, ${new Date().toISOString().slice(0, 10)}: ${PEERS} peers on loopback that hear ${ROUTES} routes each; ${cpus().length} cores (${cpus()[0]?.model ?? "?"}), kernel ${release()}, Node ${process.versions.node}, with the flags of the image.
Until all is handed to the kernel, and the longest time for which nothing else could run meanwhile, of which ${BAR_MS} ms are allowed; other programs on the machine lengthen it. The longest turn of the speaker's own is beside it.

| what | ms | held for ms | ms of the processor in the longest turn | UPDATEs |
|---|---|---|---|---|
${rows.join("")}`;
process.stdout.write(text);
writeFileSync(new URL("../../docs/results/bgp-tables.md", import.meta.url), text);
process.exitCode = figures.every(({ heldMs }) => heldMs <= BAR_MS) ? 0 : 1;
