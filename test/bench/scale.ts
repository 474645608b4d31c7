/**
 * What many Services cost a speaker: from what its stores hold to what the kernel was read back with. One JSON object a
 * line. With --kernel fake the kernel is one in memory and only this program's own work is measured; with --kernel real it
 * is that of the network namespace that this runs in, which has to have ip_vs (hack/guest/run.ts).
 *
 *   node test/bench/scale.ts [--services 10000] [--endpoints 10] [--changes 300] [--kernel fake|real] [--elsewhere] [--shared]
 *
 * --elsewhere: no pod is on this node. --shared: nodes tell each other of connections, so that every node has all lists.
 */
import { readFileSync } from "node:fs";
import { monitorEventLoopDelay, performance } from "node:perf_hooks";
import { parseArgs } from "node:util";
import { systemClock } from "#common/clock.ts";
import { Forwarding } from "#speaker/forwarding/forwarding.ts";
import type { ForwardingKernel } from "#speaker/forwarding/kernel.ts";
import { openForwardingKernel } from "#speaker/forwarding/open-kernel.ts";
import { Slices } from "#speaker/forwarding/slices.ts";
import { DEFAULT_SETTINGS, type ForwardingInput } from "#speaker/forwarding/types.ts";
import { Planner } from "#speaker/plan/plan.ts";
import { FakeForwardingKernel } from "#test/fakes/forwarding-kernel.ts";
import { NAMES } from "#test/fakes/speaker-view.ts";
import { programTheSame } from "./scale-programs.ts";
import { ScaleWorld } from "./scale-world.ts";

const { values } = parseArgs({
  options: {
    services: { type: "string", default: "10000" },
    endpoints: { type: "string", default: "10" },
    changes: { type: "string", default: "300" },
    kernel: { type: "string", default: "fake" },
    elsewhere: { type: "boolean", default: false },
    shared: { type: "boolean", default: false },
  },
});
const [services, endpoints, changes] = [values.services, values.endpoints, values.changes].map(Number) as [
  number,
  number,
  number,
];
const isReal = values.kernel === "real";
const VARIANT = [values.elsewhere ? "-elsewhere" : "", values.shared ? "-shared" : ""].join("");
const SIZE = `${services}x${endpoints}${VARIANT}`;
const kernel: ForwardingKernel = isReal
  ? openForwardingKernel({ sysctlRoot: "/proc/sys" })
  : new FakeForwardingKernel();
let drifts = 0;
const forwarding = new Forwarding(kernel, {
  clock: systemClock,
  onDrift: () => {
    drifts += 1;
  },
});
/** MiB, of the speaker. */
const RSS_BAR = services <= 5_000 ? 120 : 200;
const world = new ScaleWorld(services, endpoints, values.elsewhere ? NAMES.slice(1) : NAMES);
const planner = new Planner();

function print(name: string, figures: Record<string, unknown>): void {
  process.stdout.write(`${JSON.stringify({ name: `${name}-${SIZE}`, kernel: values.kernel, ...figures })}\n`);
}

const round = (ms: number): number => Math.round(ms * 100) / 100;
function percentile(samples: readonly number[], part: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  return round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN);
}

/** As a speaker plans: which addresses are whose at once, and the ports in slices. */
async function planned(): Promise<ForwardingInput> {
  const { vips } = planner.attract(world.view());
  const slices = new Slices(systemClock);
  const plan = await planner.forwardInSlices(() => slices.breathe());
  if (plan === undefined) throw new Error("nothing was more urgent, and yet it gave way");
  const { ports } = plan;
  return {
    ...{ nodeAddresses: { IPv4: "172.30.0.1" }, ports, vips, members: ["172.30.0.2", "172.30.0.3"] },
    settings: { ...DEFAULT_SETTINGS, sharesConnections: values.shared },
  };
}

interface Passed {
  readonly planMs: number;
  readonly forwardMs: number;
  /** Of this thread, as the scheduler counts it: on a busy machine the time that passes is that of others, too. */
  readonly planCpuMs: number;
  readonly forwardCpuMs: number;
  readonly input: ForwardingInput;
  readonly writes: number;
}

function cpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

async function pass(): Promise<Passed> {
  const [startedAt, cpuAtStart] = [performance.now(), cpuMs()];
  const input = await planned();
  const [plannedAt, cpuPlanned] = [performance.now(), cpuMs()];
  const { writes, refused, conflicts } = await forwarding.reconcile(input);
  if (refused.length + conflicts.length > 0)
    throw new Error(`refused: ${JSON.stringify(refused.slice(0, 3))} ${conflicts.slice(0, 3).join()}`);
  return {
    planMs: plannedAt - startedAt,
    forwardMs: performance.now() - plannedAt,
    planCpuMs: cpuPlanned - cpuAtStart,
    forwardCpuMs: cpuMs() - cpuPlanned,
    input,
    writes,
  };
}

/** MiB that neither programs nor their files have: what /proc/meminfo says of slabs alone leaves out mh's tables. */
function kernelMemory(): number {
  const kib = new Map(
    readFileSync("/proc/meminfo", "utf8")
      .split("\n")
      .map((line) => line.split(/:\s+/))
      .map(([key = "", value = ""]) => [key, Number.parseInt(value, 10)]),
  );
  const of = (key: string): number => kib.get(key) ?? Number.NaN;
  return (of("MemTotal") - of("MemFree") - of("Buffers") - of("Cached") - of("AnonPages")) / 1_024;
}

const kernelBefore = kernelMemory();
const delays = monitorEventLoopDelay({ resolution: 2 });
const p99s: number[] = [];
/** Prints by how much timers were late, and begins anew. */
function printDelays(name: string, bar: boolean): void {
  delays.disable();
  const [p99, max] = [delays.percentile(99) / 1e6, delays.max / 1e6];
  print(name, { p99_ms: round(p99), max_ms: round(max), ...(bar && { bar: 50, met: p99 <= 50 }) });
  p99s.push(p99);
  delays.reset();
}

delays.enable();
const cold = await pass();
printDelays("event-loop-cold", true);

const idle: number[] = [];
const idleCpu: number[] = [];
let idleWrites = 0;
for (let at = 0; at < 50; at += 1) {
  const [startedAt, cpuAtStart] = [performance.now(), cpuMs()];
  idleWrites += (await forwarding.reconcile(cold.input)).writes;
  idle.push(performance.now() - startedAt);
  idleCpu.push(cpuMs() - cpuAtStart);
  await systemClock.sleep(20);
}
const idleMs = percentile(idle, 0.5);
print("idle-pass", {
  ms: idleMs,
  p99_ms: percentile(idle, 0.99),
  cpu_ms: percentile(idleCpu, 0.5),
  writes: idleWrites,
  bar: 5,
  met: idleMs <= 5 && idleWrites === 0,
});

const passed: Passed[] = [];
delays.enable();
for (let at = 0; at < changes; at += 1) {
  world.setReady((at * 7919) % services, at % 2 === 1);
  const one = await pass();
  if (one.writes === 0 && at % 2 === 0) throw new Error("a change wrote nothing");
  passed.push(one);
  await systemClock.sleep(20);
}
const of = (figure: (one: Passed) => number, part: number): number => percentile(passed.map(figure), part);
const changeMs = of(({ planMs, forwardMs }) => planMs + forwardMs, 0.99);
print("change-one-endpoint", {
  p50_ms: of(({ planMs, forwardMs }) => planMs + forwardMs, 0.5),
  p99_ms: changeMs,
  forwarding_p50_ms: of(({ forwardMs }) => forwardMs, 0.5),
  forwarding_p99_ms: of(({ forwardMs }) => forwardMs, 0.99),
  plan_p50_cpu_ms: of(({ planCpuMs }) => planCpuMs, 0.5),
  forwarding_p50_cpu_ms: of(({ forwardCpuMs }) => forwardCpuMs, 0.5),
  forwarding_p99_cpu_ms: of(({ forwardCpuMs }) => forwardCpuMs, 0.99),
  of: changes,
  bar: 20,
  met: changeMs <= 20,
});
printDelays("event-loop-changes", true);

// Slices alone: as the background has them.
delays.enable();
const cpu = process.cpuUsage();
const startedAt = performance.now();
await systemClock.sleep(10_000);
const { user, system } = process.cpuUsage(cpu);
const used = (user + system) / 1000 / (performance.now() - startedAt);
printDelays("event-loop-audit", true);
const worst = Math.max(...p99s);
print("event-loop", { p99_ms: round(worst), of: "the worst of these phases", bar: 50, met: worst <= 50 });
print("audit", {
  cpu_percent: round(used * 100),
  round_ms: round(forwarding.lastAudit?.tookMs ?? Number.NaN),
  drifts,
});
const memory = process.memoryUsage();
print("speaker-rss", {
  mib: Math.round(memory.rss / 2 ** 20),
  heap_mib: Math.round(memory.heapUsed / 2 ** 20),
  ...(isReal && { bar: RSS_BAR, met: memory.rss <= RSS_BAR * 2 ** 20 }),
});
if (isReal) {
  const mib = Math.round(kernelMemory() - kernelBefore);
  print("kernel-memory", { mib, ...(services === 5_000 && { bar: 250, met: mib <= 250 }) });
}
forwarding.close();

const coldMs = cold.planMs + cold.forwardMs;
const figures = {
  ms: round(coldMs),
  forwarding_ms: round(cold.forwardMs),
  plan_cpu_ms: round(cold.planCpuMs),
  forwarding_cpu_ms: round(cold.forwardCpuMs),
  writes: cold.writes,
};
if (isReal) {
  const { ms, ...parts } = programTheSame();
  const ratio = round(cold.forwardMs / ms);
  print("cold", { ...figures, ...parts, ratio, against: "ipvsadm-and-nft", bar: 1.5, met: ratio <= 1.5 });
} else print("cold", figures);
process.exit(0);
