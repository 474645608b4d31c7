/**
 * What it costs that nodes tell each other of connections: processor time of a connection, of all nodes together, and
 * kernel memory of one that a node was told of. Three nodes with nothing but forwarding are in one guest, whose processor
 * time is counted from outside, so what else runs on this machine does not count. One JSON object a line.
 *
 *   node test/bench/sharing.ts [--rounds 5] [--ms 1500] [--flows 40000]
 *
 * What lists cost is measured by test/bench/scale.ts, with --shared and without.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { say } from "#hack/common/progress.ts";
import { ensureProgram } from "#hack/guest/cache.ts";
import { startGuest } from "#hack/guest/guest.ts";
import { BareNodes, type Told } from "#test/dataplane/bare-nodes.ts";
import type { Machine } from "#test/network/machine.ts";
import type { PodPlace } from "#test/network/three-nodes.ts";
import { until } from "#test/until.ts";
import { placeIn } from "./forwarding-place.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    ms: { type: "string", default: "1500" },
    flows: { type: "string", default: "40000" },
  },
});
const [rounds, ms, flows] = [Number(values.rounds), Number(values.ms), Number(values.flows)];
const MEMORY_MIB = 1_500;
/** Of the connections of one round. */
const CONNECTIONS = 16;
const [PORT, POD_PORT] = [80, 8080];
const FIRST_PORT = 1_024;

const print = (figures: object): void => void process.stdout.write(`${JSON.stringify(figures)}\n`);
const round = (value: number): number => Math.round(value * 100) / 100;
const median = (samples: readonly number[]): number =>
  samples.toSorted((a, b) => a - b)[samples.length >> 1] ?? Number.NaN;

const program = await ensureProgram(join(import.meta.dirname, "forwarding-load.c"), "forwarding-load");
const guest = await startGuest({ kernel: "user-mode", memory: MEMORY_MIB, progress: say });
const { exec, spawn, stop } = guest;
const machine: Machine = { isGuest: true, isEmulated: false, exec, spawn, stop };
const place = await placeIn(guest);
await using nodes = await BareNodes.on(machine, { hasServers: false });
const { client, pods } = nodes.topology;
const [pod] = pods.slice(0, 1) as [PodPlace];

/** The kernel is left with it: what looks after it would count as well. */
async function write(told: Told): Promise<void> {
  for (const name of nodes.names()) nodes.begin(name);
  await nodes.tellAll(told);
  for (const name of nodes.names()) await nodes.end(name);
}

/** Who has the kernel's daemons: with "who forwards", nodes tell and nobody takes in. */
const DAEMONS = ["nobody", "who forwards", "all"] as const;
type Daemons = (typeof DAEMONS)[number];

async function setDaemons(running: Daemons): Promise<void> {
  await write({ pods: [pod], isShared: running !== "nobody" });
  if (running === "who forwards")
    for (const name of nodes.names()) await nodes.on(name, "ipvsadm --stop-daemon backup");
}

/** Microseconds of processor time for a connection with one request. */
async function connection(): Promise<number> {
  const { line, cpuUs } = await place.sample([
    ...[program, "requests", `from=${client.netns}`, `to=${pod.netns}`, `source=${client.IPv4}`],
    ...[`address=${nodes.vip.IPv4}`, `port=${PORT}`, `listen=${POD_PORT}`, "mode=new"],
    ...[`connections=${CONNECTIONS}`, `ms=${ms}`],
  ]);
  const said = JSON.parse(line) as { count: number; errors: number };
  if (said.errors > 0) say(`${said.errors} of ${said.count} failed`);
  return cpuUs / said.count;
}

async function connections(what: string, by: string): Promise<void> {
  const samples = new Map<Daemons, number[]>(DAEMONS.map((daemons) => [daemons, []]));
  for (let at = 0; at <= rounds; at += 1) {
    for (const daemons of DAEMONS) {
      await setDaemons(daemons);
      await nodes.reachBy(by);
      const us = await connection();
      // The first round warms up.
      if (at > 0) samples.get(daemons)?.push(us);
    }
  }
  const [off = Number.NaN] = DAEMONS.map((daemons) => median(samples.get(daemons) ?? []));
  for (const daemons of DAEMONS) {
    const us = median(samples.get(daemons) ?? []);
    print({
      ...{ name: `sharing-connection-${what}`, daemons, cpu_us: round(us), added_us: round(us - off) },
      ...{ ratio: round(us / off), against: DAEMONS[0], of: rounds },
    });
  }
}

async function kernelMib(): Promise<number> {
  await exec(["sh", "-c", "echo 3 > /proc/sys/vm/drop_caches"]);
  const { stdout } = await exec(["cat", "/proc/meminfo"]);
  const of = (key: string): number => Number(new RegExp(`^${key}:\\s+(\\d+)`, "m").exec(stdout)?.[1]);
  return (of("MemTotal") - of("MemFree") - of("Buffers") - of("Cached") - of("AnonPages")) / 1_024;
}

const known = async (name: string): Promise<number> =>
  Number(await nodes.on(name, "tail -n +2 /proc/net/ip_vs_conn | wc -l"));

/** As many first packets as the machine can send, by one node to its own pod; what do the two others know then? */
async function memory(): Promise<void> {
  await write({ pods: [pod], isShared: true, protocol: "UDP" });
  await nodes.reachBy("n1");
  const before = await kernelMib();
  const began = performance.now();
  await place.sample([
    ...[program, "first", `from=${client.netns}`, `to=${pod.netns}`, `source=${client.IPv4}`],
    ...[`address=${nodes.vip.IPv4}`, `port=${PORT}`, `listen=${POD_PORT}`],
    ...[`source-port=${FIRST_PORT}`, `flows=${flows}`],
  ]);
  const tookMs = performance.now() - began;
  let last = 0;
  await until(
    "n3 to hear of no more",
    async () => {
      const now = await known("n3");
      const isStill = now === last && now > 0;
      last = now;
      return isStill;
    },
    { deadlineMs: 60_000, everyMs: 3_000 },
  );
  const counts = [await known("n1"), await known("n2"), await known("n3")];
  const mib = (await kernelMib()) - before;
  const entries = counts.reduce((sum, count) => sum + count, 0);
  print({
    ...{ name: "sharing-memory", flows, ms: Math.round(tookMs), known: counts },
    ...{ mib: round(mib), bytes_of_one: Math.round((mib * 2 ** 20) / entries) },
  });
}

for (const name of nodes.names()) await nodes.end(name);
await memory();
await connections("local-pod", "n1");
await connections("remote-pod", "n2");
