/**
 * How fast addresses are given, in process: the controller's own pass, one new Service at a time, against no API
 * server. Prints one JSON object a line (name, figures with their unit in the key), then a table for people.
 * Beside it a linear first-fit scan over a set of addresses in use, the way MetalLB's allocator works (the scan alone,
 * with none of its other work), in the same run.
 */
import { type Address, parseRange } from "#api/address.ts";
import { ANNOTATION_SHARING_KEY } from "#api/names.ts";
import { Allocator } from "#controller/allocation/allocator.ts";
import { compilePool, PoolSet } from "#controller/allocation/pool.ts";
import type { ServiceRecord } from "#controller/allocation/service.ts";
import { planStatus } from "#controller/status/plan.ts";
import { record } from "#controller/testing/records.ts";

interface Figure {
  readonly name: string;
  readonly [figure: string]: number | string;
}

interface Run {
  readonly name: string;
  readonly addresses: readonly string[];
  /** Services that are there before the clock starts. */
  readonly before?: number;
  /** Every second of those goes before the clock starts: holes all over. */
  readonly isFragmented?: boolean;
  /** Services share addresses under so many keys. */
  readonly keys?: number;
  readonly count: number;
}

const SLASH_16 = ["10.0.0.0/16"];
const FULL = 65_536;

const RUNS: readonly Run[] = [
  { name: "allocate-10000-of-16", addresses: SLASH_16, count: 10_000 },
  { name: "allocate-10000-of-16-at-50-percent", addresses: SLASH_16, before: FULL / 2, count: 10_000 },
  {
    name: "allocate-6000-of-16-at-90-percent",
    addresses: SLASH_16,
    before: Math.floor(FULL * 0.9),
    count: 6_000,
  },
  {
    name: "allocate-10000-of-16-fragmented",
    addresses: SLASH_16,
    before: FULL,
    isFragmented: true,
    count: 10_000,
  },
  { name: "allocate-10000-under-1000-keys", addresses: SLASH_16, keys: 1_000, count: 10_000 },
  { name: "allocate-10000-of-v6-64", addresses: ["fd00::/64"], count: 10_000 },
  {
    name: "allocate-10000-of-256-ranges",
    addresses: Array.from({ length: 256 }, (_, at) => `10.${at}.0.10-10.${at}.0.200`),
    count: 10_000,
  },
];

const CONTEXT = { ipMode: "Proxy", now: new Date(0), isOurAddress: () => true } as const;

function serviceOf(run: Run, at: number): ServiceRecord {
  const family = run.addresses[0]?.includes(":") === true ? "IPv6" : "IPv4";
  const annotations: Record<string, string> =
    run.keys === undefined ? {} : { [ANNOTATION_SHARING_KEY[0]]: `key-${at % run.keys}` };
  const port = run.keys === undefined ? 80 : 1 + Math.floor(at / run.keys);
  return record(`service-${at}`, { families: [family], ports: [`TCP/${port}`], annotations });
}

function measure(run: Run): Figure {
  const allocator = new Allocator();
  const pools = new PoolSet([compilePool("pool", { addresses: run.addresses }, true)]);
  const before = Array.from({ length: run.before ?? 0 }, (_, at) => serviceOf(run, at));
  allocator.rebuild({ pools, loadBalancerClass: undefined }, before);
  if (run.isFragmented === true) {
    allocator.update(before.filter((_, at) => at % 2 === 0).map(({ key }) => [key, undefined] as const));
  }
  const services = Array.from({ length: run.count }, (_, at) => serviceOf(run, before.length + at));
  const times = new Float64Array(run.count);
  const began = performance.now();
  for (const [at, service] of services.entries()) {
    const start = performance.now();
    for (const key of allocator.update([[service.key, service]])) {
      const plan = planStatus(service, allocator.outcome(key), CONTEXT);
      if (plan?.assigned.length !== 1) throw new Error(`${run.name}: ${key} got no address`);
    }
    times[at] = performance.now() - start;
  }
  const totalMs = performance.now() - began;
  return {
    name: run.name,
    total_ms: round(totalMs),
    p50_ms: round(percentile(times, 0.5)),
    p99_ms: round(percentile(times, 0.99)),
    max_ms: round(percentile(times, 1)),
  };
}

/** What the controller keeps of a Service, beyond the watch's own record of it; needs --expose-gc. */
function measureMemory(count: number): Figure {
  const services = Array.from({ length: count }, (_, at) =>
    serviceOf({ name: "", addresses: SLASH_16, count }, at),
  );
  const pools = new PoolSet([compilePool("pool", { addresses: SLASH_16 }, true)]);
  const allocator = new Allocator();
  const heap = (): number => {
    global.gc?.();
    return process.memoryUsage().heapUsed;
  };
  const before = heap();
  allocator.rebuild({ pools, loadBalancerClass: undefined }, services);
  const bytes = (heap() - before) / count;
  if (allocator.waiting > 0) throw new Error(`${allocator.waiting} Services got no address`);
  return { name: `memory-of-${count}`, bytes_per_service: Math.round(bytes) };
}

/** First fit by looking at every address from the first: what `allocate-10000-of-16` is compared with. */
function measureScan(count: number): Figure {
  const { family, first, last } = parseRange("10.0.0.0/16");
  const used = new Set<bigint>();
  const times = new Float64Array(count);
  const began = performance.now();
  for (let at = 0; at < count; at += 1) {
    const start = performance.now();
    const free = scan({ family, value: first }, last, used);
    if (free !== undefined) used.add(free);
    times[at] = performance.now() - start;
  }
  return {
    name: "linear-first-fit-scan-10000-of-16",
    total_ms: round(performance.now() - began),
    p50_ms: round(percentile(times, 0.5)),
    p99_ms: round(percentile(times, 0.99)),
    max_ms: round(percentile(times, 1)),
  };
}

function scan(from: Address, last: bigint, used: ReadonlySet<bigint>): bigint | undefined {
  for (let value = from.value; value <= last; value += 1n) if (!used.has(value)) return value;
  return undefined;
}

function percentile(times: Float64Array, share: number): number {
  const sorted = times.toSorted();
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
}

function round(ms: number): number {
  return Math.round(ms * 1_000) / 1_000;
}

// Once unmeasured: the first thousands of calls measure the compiler.
measure({ name: "warm-up", addresses: SLASH_16, count: 5_000 });
const figures = RUNS.map(measure);
const linear = measureScan(10_000);
const [first] = figures;
const ratio = Number(linear.total_ms) / Number(first?.total_ms);
const all: Figure[] = [
  ...figures.map((figure, at) =>
    at === 0 ? { ...figure, ratio: Math.round(ratio * 10) / 10, against: linear.name } : figure,
  ),
  linear,
  ...(global.gc === undefined ? [] : [measureMemory(20_000)]),
];
for (const figure of all) process.stdout.write(`${JSON.stringify(figure)}\n`);
process.stdout.write(
  `\n${"".padEnd(38)}${["total ms", "p50 ms", "p99 ms", "max ms"].map((each) => each.padStart(12)).join("")}\n`,
);
for (const { name, ...figure } of all) {
  if (figure.bytes_per_service !== undefined) {
    process.stdout.write(
      `${name.padEnd(38)}${String(figure.bytes_per_service).padStart(12)} bytes a Service\n`,
    );
    continue;
  }
  const cells = ["total_ms", "p50_ms", "p99_ms", "max_ms"].map((key) =>
    String(figure[key] ?? "").padStart(12),
  );
  process.stdout.write(`${name.padEnd(38)}${cells.join("")}\n`);
}
