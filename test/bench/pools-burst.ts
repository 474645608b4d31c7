/**
 * Thousands of Services have addresses, and then hundreds of pools are made at once, as a GitOps tool does: how long a
 * Service that is made meanwhile waits for its address, and whether the leader stays the leader. One JSON line.
 * Usage: pools-burst.ts SERVICES POOLS (6000 300).
 */
import { loadavg } from "node:os";
import { createKubeClient } from "#common/kube/client.ts";
import { addressPools, type Service, services } from "#common/kube/resource.ts";
import { SYSTEM, startGenkan, startLeader } from "#test/integration/controller-process.ts";
import { ipsOf } from "#test/integration/controller-world.ts";
import { until } from "#test/until.ts";

const LANES = 8;
const NAMESPACE = "default";
/** A Service is made so often while the burst lasts, and for a while after it. */
const EVERY_MS = 50;
const AFTER_MS = 5_000;
const LONG = { deadlineMs: 300_000, everyMs: 100 } as const;

const [serviceCount = 6_000, poolCount = 300] = process.argv.slice(2).map(Number);

const draft = (name: string) => ({
  metadata: { name, namespace: NAMESPACE },
  spec: {
    type: "LoadBalancer",
    allocateLoadBalancerNodePorts: false,
    selector: { app: name },
    ports: [{ port: 80, protocol: "TCP" }],
  } as NonNullable<Service["spec"]>,
});

const pool = (name: string, addresses: string) => ({
  metadata: { name, namespace: SYSTEM },
  spec: { protocol: "layer2" as const, addresses: [addresses] as [string] },
});

async function inLanes(count: number, one: (at: number) => Promise<unknown>): Promise<void> {
  const lane = async (first: number): Promise<void> => {
    for (let at = first; at < count; at += LANES) await one(at);
  };
  await Promise.all(Array.from({ length: LANES }, (_, first) => lane(first)));
}

/** Milliseconds; 0 of nothing. */
function percentile(times: readonly number[], share: number): number {
  const sorted = times.toSorted((a, b) => a - b);
  return Math.round(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0);
}

await using plane = await startGenkan();
const client = createKubeClient(plane.connection, { maxSockets: 16, keptSockets: 16 });
await client.create(addressPools, pool("first", "10.0.0.0/17"));
await using controller = await startLeader(plane, "c0");

const arrived = new Map<string, number>();
const stop = new AbortController();
const { resourceVersion } = await client.list(services);
const watching = (async () => {
  for await (const event of client.watch(services, { resourceVersion }, stop.signal)) {
    if (event.type === "BOOKMARK" || ipsOf(event.object).length === 0) continue;
    const { name } = event.object.metadata;
    if (!arrived.has(name)) arrived.set(name, performance.now());
  }
})().catch((error: unknown) => {
  if (!stop.signal.aborted) throw error;
});

await inLanes(serviceCount, (at) => client.create(services, draft(`s${at}`)));
await until("all Services to have addresses", () => arrived.size >= serviceCount, LONG);
const before = controller.logs.length;

const posted = new Map<string, number>();
let isOver = false;
const began = performance.now();
const late = (async () => {
  for (let at = 0; !isOver; at += 1) {
    const name = `late${at}`;
    posted.set(name, performance.now());
    await client.create(services, draft(name));
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
  }
})();
await inLanes(poolCount, (at) =>
  client.create(addressPools, pool(`m${at}`, `10.${128 + (at >> 8)}.${at & 255}.0/28`)),
);
const madeMs = performance.now() - began;
await new Promise((resolve) => setTimeout(resolve, AFTER_MS));
isOver = true;
await late;
await until(
  "the late Services to have addresses",
  () => [...posted.keys()].every((n) => arrived.has(n)),
  LONG,
);
const times = [...posted].map(([name, at]) => (arrived.get(name) ?? 0) - at);
const shown = async (): Promise<boolean> => {
  const { items } = await client.list(addressPools);
  return items.every(({ status }) => status?.conditions?.some(({ type }) => type === "Valid"));
};
await until("all pools to have a status", shown, LONG);
const statusMs = performance.now() - began;
const metrics = await (await fetch(`http://127.0.0.1:${controller.httpPort}/metrics`)).text();
const cpu = Number(/^genkan_process_cpu_seconds_total\S* (\S+)/m.exec(metrics)?.[1]);
const logs = controller.logs.slice(before);
process.stdout.write(
  `${JSON.stringify({
    name: "pools-burst",
    services: serviceCount,
    pools: poolCount,
    pools_made_ms: Math.round(madeMs),
    late: times.length,
    p50_ms: percentile(times, 0.5),
    p99_ms: percentile(times, 0.99),
    max_ms: percentile(times, 1),
    pool_statuses_ms: Math.round(statusMs),
    leadership_lost: logs.filter(({ msg }) => msg === "leadership lost").length,
    warnings: logs.filter(({ level }) => level !== "info").length,
    controller_cpu_s: Math.round(cpu * 10) / 10,
    load: Math.round((loadavg()[0] ?? 0) * 10) / 10,
    node: process.version,
  })}\n`,
);
stop.abort();
await watching;
client.close();
await controller.end("SIGTERM");
