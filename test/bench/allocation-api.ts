/**
 * How fast addresses are given through the real API server. One JSON object a line, then a table. What a bare client
 * needs for the same POSTs and status PATCHes, in the same run, is what the burst is compared with.
 */
import { readdirSync, readFileSync } from "node:fs";
import { loadavg } from "node:os";
import { forwardingCondition } from "#api/forwarding-ids.ts";
import { ANNOTATION_ALLOCATED_FROM } from "#api/names.ts";
import { addressPools, type Service, services } from "#common/kube/resource.ts";
import { ControllerProcess, SYSTEM, startGenkan, startLeader } from "#test/integration/controller-process.ts";
import type { TestPlane } from "#test/integration/plane.ts";
import { until } from "#test/until.ts";

const LANES = 8;
/** As much of the time of a POST as there is of a PATCH: many at once, as a deployment tool would. */
const LONG = { deadlineMs: 300_000, everyMs: 50 };

interface Figure {
  readonly name: string;
  readonly [figure: string]: number | string;
}
const figures: Figure[] = [];
function tell(figure: Figure): void {
  figures.push(figure);
  process.stdout.write(`${JSON.stringify(figure)}\n`);
}

const draft = (name: string, namespace: string) => ({
  metadata: { name, namespace },
  spec: {
    type: "LoadBalancer",
    allocateLoadBalancerNodePorts: false,
    ports: [{ port: 80, protocol: "TCP" }],
  } as NonNullable<Service["spec"]>,
});

async function inLanes(count: number, one: (at: number) => Promise<unknown>): Promise<void> {
  await Promise.all(
    Array.from({ length: LANES }, async (_, lane) => {
      for (let at = lane; at < count; at += LANES) await one(at);
    }),
  );
}

function percentile(times: readonly number[], share: number): number {
  const sorted = times.toSorted((a, b) => a - b);
  return Math.round((sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0) * 10) / 10;
}

/** Addresses as they come, by one watch: asking again and again would be what is measured. */
class Watch {
  readonly #arrived = new Map<string, number>();
  readonly #waiting = new Map<string, (at: number) => void>();
  readonly #stop = new AbortController();

  constructor(plane: TestPlane) {
    void this.#run(plane).catch((error: unknown) => {
      if (!this.#stop.signal.aborted) throw error;
    });
  }

  async #run(plane: TestPlane): Promise<void> {
    const { resourceVersion } = await plane.client.list(services);
    for await (const event of plane.client.watch(services, { resourceVersion }, this.#stop.signal)) {
      if (event.type === "BOOKMARK") continue;
      const { object } = event;
      // What the bare client writes is elsewhere.
      if (object.metadata.namespace !== "default") continue;
      if (object.status?.loadBalancer?.ingress?.length !== 1) continue;
      const key = `${object.metadata.namespace}/${object.metadata.name}`;
      const at = performance.now();
      this.#arrived.set(key, at);
      this.#waiting.get(key)?.(at);
    }
  }

  get count(): number {
    return this.#arrived.size;
  }

  arrival(key: string): Promise<number> {
    const at = this.#arrived.get(key);
    return at === undefined ? new Promise((resolve) => this.#waiting.set(key, resolve)) : Promise.resolve(at);
  }

  close(): void {
    this.#stop.abort();
  }
}

async function world(): Promise<TestPlane> {
  const plane = await startGenkan();
  await plane.client.create(addressPools, {
    metadata: { name: "bench", namespace: SYSTEM },
    spec: { protocol: "layer2", addresses: ["10.0.0.0/16"] },
  });
  return plane;
}

/** From POST to the address in the status, one at a time. */
async function oneByOne(plane: TestPlane, watch: Watch, count: number, prefix: string): Promise<number[]> {
  const times: number[] = [];
  for (let at = 0; at < count; at += 1) {
    const began = performance.now();
    await plane.client.create(services, draft(`${prefix}${at}`, "default"));
    times.push((await watch.arrival(`default/${prefix}${at}`)) - began);
  }
  return times;
}

/** What the API server needs for the same writes, to the last annotation, when nobody else is there. */
async function bareClient(plane: TestPlane, count: number, name: string): Promise<void> {
  const namespace = await plane.namespace(name);
  await inLanes(count, async (at) => {
    const made = await plane.client.create(services, {
      ...draft(`b${at}`, namespace),
      spec: { ...draft("", "").spec, loadBalancerClass: "example.com/nobody" },
    });
    const annotations = { [ANNOTATION_ALLOCATED_FROM]: "bench" };
    const conditions = [
      {
        ...forwardingCondition(["bench"], { "IPv4/TCP/80": at + 1 }),
        lastTransitionTime: "2026-01-01T00:00:00Z",
      },
    ];
    const ingress = [{ ip: `10.9.${at >> 8}.${at & 255}`, ipMode: "Proxy" }];
    await plane.client.patch(services, {
      name: made.metadata.name,
      namespace,
      subresource: "status",
      type: "merge",
      body: {
        metadata: { resourceVersion: made.metadata.resourceVersion, annotations },
        status: { loadBalancer: { ingress }, conditions },
      },
    });
  });
}

/** Seconds of CPU that this process and its children have used: API server, etcd, controller. */
function cpuSeconds(): number {
  const ticks = readdirSync("/proc").map((pid) => {
    if (!/^\d+$/.test(pid)) return 0;
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
      const [, parent, , , , , , , , , , user = 0, system = 0] = stat
        .slice(stat.lastIndexOf(")") + 2)
        .split(" ");
      const isOurs = Number(pid) === process.pid || Number(parent) === process.pid;
      return isOurs ? Number(user) + Number(system) : 0;
    } catch {
      // It ended between the two looks.
      return 0;
    }
  });
  return ticks.reduce((sum, each) => sum + each, 0) / 100;
}

interface Cost {
  readonly ms: number;
  readonly cpuS: number;
}

async function costOf(work: () => Promise<unknown>): Promise<Cost> {
  const cpu = cpuSeconds();
  const began = performance.now();
  await work();
  return { ms: performance.now() - began, cpuS: cpuSeconds() - cpu };
}

async function latency(): Promise<void> {
  await using plane = await world();
  const controller = await startLeader(plane, "c0");
  const watch = new Watch(plane);
  await oneByOne(plane, watch, 10, "warm");
  const idle = await oneByOne(plane, watch, 100, "idle");
  tell({ name: "post-to-address-idle", p50_ms: percentile(idle, 0.5), p99_ms: percentile(idle, 0.99) });
  await inLanes(2_000, (at) => plane.client.create(services, draft(`fill${at}`, "default")));
  await until("2,000 Services to have addresses", () => watch.count >= 2_110, LONG);
  const full = await oneByOne(plane, watch, 300, "full");
  tell({ name: "post-to-address-at-2000", p50_ms: percentile(full, 0.5), p99_ms: percentile(full, 0.99) });
  watch.close();
  await controller.end("SIGTERM");
}

/**
 * Bare, burst, burst, bare: the API server slows down with every Service that it has, and the machine may be busier at
 * one time than at another; of the sums both are gone but for little.
 */
async function burst(count: number): Promise<void> {
  await using plane = await world();
  const bare: Cost[] = [];
  const bursts: Cost[] = [];
  const watch = new Watch(plane);
  // The first writes of all measure how an API server warms up.
  await bareClient(plane, 300, "warm");
  bare.push(await costOf(() => bareClient(plane, count, "bare-0")));
  const controller = await startLeader(plane, "c1");
  for (const round of [0, 1]) {
    const before = watch.count;
    const cost = await costOf(async () => {
      await inLanes(count, (at) => plane.client.create(services, draft(`burst${round}-${at}`, "default")));
      await until("the burst to have addresses", () => watch.count >= before + count, LONG);
    });
    bursts.push(cost);
  }
  await controller.end("SIGTERM");
  bare.push(await costOf(() => bareClient(plane, count, "bare-1")));
  watch.close();
  const sum = (costs: readonly Cost[], of: (cost: Cost) => number): number =>
    costs.reduce((total, cost) => total + of(cost), 0);
  const ratio = (of: (cost: Cost) => number): number => round(sum(bursts, of) / sum(bare, of));
  for (const [name, costs] of [
    [`bare-client-${count}`, bare],
    [`burst-${count}`, bursts],
  ] as const) {
    tell({
      name,
      total_ms: Math.round(sum(costs, ({ ms }) => ms) / 2),
      first_ms: Math.round(costs[0]?.ms ?? 0),
      second_ms: Math.round(costs[1]?.ms ?? 0),
      cpu_s: round(sum(costs, ({ cpuS }) => cpuS) / 2),
      ...(costs === bursts
        ? {
            ratio: ratio(({ ms }) => ms),
            cpu_ratio: ratio(({ cpuS }) => cpuS),
            against: `bare-client-${count}`,
          }
        : {}),
    });
  }
}

const round = (value: number): number => Math.round(value * 100) / 100;

async function waiting(count: number): Promise<void> {
  await using plane = await world();
  await inLanes(count, (at) => plane.client.create(services, draft(`w${at}`, "default")));
  const watch = new Watch(plane);
  const began = performance.now();
  const controller = await new ControllerProcess("late", plane.plane.kubeconfig).started();
  const startedMs = performance.now() - began;
  await until(`${count} waiting Services to have addresses`, () => watch.count >= count, LONG);
  const total = Math.round(performance.now() - began);
  tell({ name: `${count}-waiting`, process_started_ms: Math.round(startedMs), total_ms: total });
  watch.close();
  await controller.end("SIGTERM");
}

const [count = 3_000] = process.argv.slice(2).map(Number);
tell({ name: "machine", load_before: round(loadavg()[0] ?? 0), node: process.version });
await latency();
await burst(count);
await waiting(1_000);
process.stdout.write("\n");
for (const { name, ...figure } of figures) {
  const cells = Object.entries(figure).map(([key, value]) => `${key} ${value}`);
  process.stdout.write(`${name.padEnd(28)}${cells.join("   ")}\n`);
}
