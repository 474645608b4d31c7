/**
 * What a few minutes of testing cannot show: `kills`: how soon the death of a peer is seen, over many deaths;
 * `flaps`: whether 64 sessions of 50 ms x 3 stand while the main thread parses lists of 10,000 Services and collects
 * garbage; `normal`: the same without real-time scheduling, where 350 ms x 3 is used. Who is killed is FRR's bfdd, who
 * stands for an hour is BIRD, which takes a quarter of the time for a packet; each in four network namespaces. Writes docs/results/bfd-<part>.json and ends with 1 when a bar is missed.
 *
 *     node test/long/bfd-deaths.ts kills 200 | flaps <minutes> | normal <minutes>  [interval in ms, 50]
 *
 * With another interval there are 16 sessions and not 64, and the results are bfd-<part>-<interval>.json.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus, release } from "node:os";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { BfdPeer } from "#speaker/bfd/types.ts";
import { ROUTERS, type RouterKind } from "#test/interop/session.ts";
import { ip } from "#test/network/namespace.ts";
import { Topology } from "#test/network/routers.ts";
import { until } from "#test/until.ts";
import { Device, tookSince } from "../bfd/bfd-device.ts";
import { BirdBfd, type BirdPeer, FrrBfd, type FrrPeer } from "../bfd/peers.ts";
import { PROFILE } from "../bfd/profile.ts";

/** The size of a list of 10,000 Services. */
const LOAD_MEGABYTES = 9;
/** As often is a list of all Services parsed, and garbage collected, while sessions are watched for an hour. */
const LOAD_REST_MS = 1_000;
const [part = "", amount = "1", intervalMs = "50"] = process.argv.slice(2);
const INTERVAL_MS = Number(intervalMs);
const IS_USUAL = INTERVAL_MS === 50;
const SESSIONS_PER_ROUTER = IS_USUAL ? 16 : 4;
/** Of shorter intervals a quarter of an interval more than the detection time. */
const BAR_MS = IS_USUAL ? 200 : 3.75 * INTERVAL_MS;
const WITNESS = fileURLToPath(new URL("./clock-watch.ts", import.meta.url));

interface Ends {
  readonly own: string;
  readonly other: string;
}

interface Site {
  readonly namespace: string;
  readonly ends: readonly Ends[];
  readonly peers: readonly BfdPeer[];
}

/** `count` sessions with a router, half of them IPv6, each with addresses of its own. */
function makeSite(topology: Topology, router: RouterKind, count: number): Site {
  const namespace = topology.addRouter(router, []);
  const number = ROUTERS.indexOf(router) + 1;
  const ends = Array.from({ length: count }, (_, at) => {
    const isIpv6 = count > 1 && at % 2 === 1;
    const own = isIpv6 ? `fd00:a::1${number}:${at + 1}` : `10.0.1${number}.${at + 1}`;
    const other = isIpv6 ? `fd00:a::2${number}:${at + 1}` : `10.0.2${number}.${at + 1}`;
    const rest = isIpv6 ? "/64 dev eth0 nodad" : "/16 dev eth0";
    ip(`-n ${topology.device} addr add ${own}${rest}
      -n ${namespace} addr add ${other}${rest}`);
    return { own, other };
  });
  const peers = ends.map(({ own, other }): BfdPeer => {
    const profile = { ...PROFILE, receiveIntervalMs: INTERVAL_MS, transmitIntervalMs: INTERVAL_MS };
    return { key: other, address: other, sourceAddress: own, multihop: false, profile };
  });
  return { namespace, ends, peers };
}

function frrOf({ namespace, ends }: Site): FrrBfd {
  const peers = ends.map(({ own, other }): FrrPeer => {
    const link = own.includes(":") ? { link: "eth0" } : {};
    return { address: own, localAddress: other, intervalMs: INTERVAL_MS, ...link };
  });
  return new FrrBfd(namespace, peers);
}

function birdOf({ namespace, ends }: Site): BirdBfd {
  const peers = ends.map(({ own, other }): BirdPeer => ({ address: own, localAddress: other }));
  return new BirdBfd(namespace, peers, INTERVAL_MS);
}

const percentile = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)] ?? 0;

function summary(values: readonly number[]): Record<string, number> {
  const sorted = values.toSorted((a, b) => a - b).map(Math.round);
  const at = (share: number): number => percentile(sorted, share);
  return { count: sorted.length, p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1) };
}

interface Running {
  readonly site: Site;
  readonly frr: FrrBfd;
}

/** Kills one site's daemon over and over; how long until the thread, and until the main thread, knew. */
async function killOften(
  { site, frr }: Running,
  device: Device,
  times: number,
): Promise<{ thread: number[]; main: number[] }> {
  const result: { thread: number[]; main: number[] } = { thread: [], main: [] };
  const key = site.peers[0]?.key ?? "";
  for (let round = 0; round < times; round += 1) {
    await until(
      `${key} up with its timers`,
      async () => {
        const report = await device.report(key);
        return report?.state === "Up" && report.detectionTimeMs === 3 * INTERVAL_MS;
      },
      { deadlineMs: 30_000, everyMs: 50 },
    );
    // Anywhere between two packets.
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 200));
    const before = device.changes.length;
    const killedAt = Date.now();
    const monotonic = Number(process.hrtime.bigint()) / 1e6;
    await frr.kill();
    const fall = await until(`${key}'s fall`, () =>
      device.changes.slice(before).find((change) => change.key === key && change.state === "Down"),
    );
    result.thread.push(tookSince(killedAt, fall));
    result.main.push(fall.monotonicMs - monotonic);
    await frr.start();
  }
  return result;
}

async function kills(total: number): Promise<[object, boolean]> {
  return withSites({ sessions: 1, environment: {} }, async (device, sites) => {
    const running: Running[] = sites.map((site) => ({ site, frr: frrOf(site) }));
    await using stopping = new AsyncDisposableStack();
    for (const { frr } of running) stopping.defer(() => frr.stop());
    await Promise.all(running.map(({ frr }) => frr.start()));
    await established(device, sites);
    const before = device.changes.length;
    const startedAt = Date.now();
    device.load(LOAD_MEGABYTES);
    const results = await Promise.all(
      running.map((one) => killOften(one, device, Math.ceil(total / running.length))),
    );
    const stoodStillMs = Math.round(await device.calm());
    const thread = summary(results.flatMap((result) => result.thread));
    const falls = device.changes.slice(before).filter(({ isLoss }) => isLoss).length;
    const falseFalls = falls - (thread.count ?? 0);
    const document = {
      what: `SIGKILL of FRR's bfdd, session of ${INTERVAL_MS} ms x 3, main thread parsing ${LOAD_MEGABYTES} MB and collecting garbage all the time`,
      seconds: Math.round((Date.now() - startedAt) / 1_000),
      untilTheThreadKnewMs: thread,
      untilTheMainThreadKnewMs: summary(results.flatMap((result) => result.main)),
      mainThreadStoodStillMs: stoodStillMs,
      falseFalls,
    };
    return [document, (thread.p99 ?? Number.POSITIVE_INFINITY) <= BAR_MS && falseFalls === 0];
  });
}

/**
 * Knows when the machine itself stood still, for whoever is before everything else on it. A machine that is a guest of
 * another one can stand still with one processor alone, so there is a process for each.
 */
class Witness implements Disposable {
  readonly stops: { readonly at: string; readonly ms: number; readonly processor: number }[] = [];
  readonly #children = cpus().map((_, processor) => this.#watch(processor));

  #watch(processor: number): ChildProcess {
    const child = spawn(
      "taskset",
      // A machine that stood still for an interval can be why the rest of a detection time was not enough.
      ["-c", String(processor), "chrt", "-f", "50", process.execPath, WITNESS, String(INTERVAL_MS)],
      { stdio: ["pipe", "pipe", "inherit"] },
    );
    createInterface({ input: child.stdout }).on("line", (line) =>
      this.stops.push({ ...JSON.parse(line), processor }),
    );
    return child;
  }

  /** Whether it ended within a second before that moment, or after it. */
  saw(moment: number): boolean {
    return this.stops.some(({ at, ms }) => {
      const end = Date.parse(at);
      return moment >= end - ms - 1_000 && moment <= end + 1_000;
    });
  }

  [Symbol.dispose](): void {
    for (const { stdin } of this.#children) stdin?.end();
  }
}

async function flaps(minutes: number, isNormal: boolean): Promise<[object, boolean]> {
  const environment: Record<string, string> = isNormal ? { BFD_FIFO: "0" } : {};
  return withSites({ sessions: SESSIONS_PER_ROUTER, environment }, async (device, sites) => {
    await using stopping = new AsyncDisposableStack();
    for (const site of sites) {
      const bird = birdOf(site);
      stopping.defer(() => bird.stop());
    }
    await established(device, sites);
    using witness = new Witness();
    const { sessions: first, scheduling } = await device.sessions();
    const before = device.changes.length;
    const startedAt = Date.now();
    device.load(LOAD_MEGABYTES, LOAD_REST_MS);
    const end = startedAt + minutes * 60_000;
    await until("the end", () => Date.now() >= end, {
      deadlineMs: minutes * 60_000 + 60_000,
      everyMs: 1_000,
    });
    const stoodStillMs = Math.round(await device.calm());
    const { sessions } = await device.sessions();
    const packets = sessions.reduce((sum, one) => sum + one.packetsIn + one.packetsOut, 0);
    const changes = device.changes.slice(before);
    const losses = changes.filter(({ isLoss }) => isLoss);
    const ours = losses.filter(({ at }) => !witness.saw(Date.parse(at)));
    const document = {
      what: `${sessions.length} sessions of ${INTERVAL_MS} ms x 3 with BIRD, half of them IPv6, main thread parsing a list of 10,000 Services (${LOAD_MEGABYTES} MB) and collecting garbage every ${LOAD_REST_MS} ms`,
      scheduling,
      minutes,
      sessions: sessions.length,
      detectionTimeMs: [...new Set(sessions.map((one) => one.detectionTimeMs))],
      packets: packets - first.reduce((sum, one) => sum + one.packetsIn + one.packetsOut, 0),
      sendFailures: sessions.reduce((sum, one) => sum + one.sendFailures, 0),
      mainThreadStoodStillMs: stoodStillMs,
      machineStoodStill: witness.stops,
      flaps: ours.length,
      flapsWhileTheMachineStoodStill: losses.length - ours.length,
      moments: losses.map(({ at, key, diagnostic }) => `${at} ${key} ${diagnostic}`),
    };
    return [document, ours.length === 0 && sessions.every(({ state }) => state === "Up")];
  });
}

/** All sessions are up, and the polls are through. */
async function established(device: Device, sites: readonly Site[]): Promise<void> {
  const keys = sites.flatMap((site) => site.peers.map(({ key }) => key));
  await device.reach(keys, "Up", 60_000);
  const settled = new Set([3 * INTERVAL_MS, 1_050]);
  await until("the sessions' timers", async () =>
    (await device.sessions()).sessions.every(({ detectionTimeMs }) => settled.has(detectionTimeMs)),
  );
}

interface SitesOptions {
  /** With each router. */
  readonly sessions: number;
  readonly environment: Readonly<Record<string, string>>;
}

async function withSites<T>(
  { sessions, environment }: SitesOptions,
  work: (device: Device, sites: readonly Site[]) => Promise<T>,
): Promise<T> {
  // Several parts may run at a time.
  const topology = new Topology(`gkbf${part.slice(0, 2)}`);
  const sites = ROUTERS.map((router) => makeSite(topology, router, sessions));
  const device = new Device({ namespace: topology.device, environment });
  try {
    device.reconcile(sites.flatMap((site) => site.peers));
    return await work(device, sites);
  } finally {
    await device.stop();
    topology[Symbol.dispose]();
  }
}

const parts: Readonly<Record<string, (amount: number) => Promise<[object, boolean]>>> = {
  kills,
  flaps: (minutes) => flaps(minutes, false),
  normal: (minutes) => flaps(minutes, true),
};
const chosen = parts[part];
if (chosen === undefined) throw new Error(`usage: bfd-deaths.ts ${Object.keys(parts).join(" | ")} <amount>`);
const [document, isGood] = await chosen(Number(amount));
const machine = { node: process.version, kernel: release(), cores: cpus().length };
const text = `${JSON.stringify({ ...document, date: new Date().toISOString().slice(0, 10), machine }, null, 2)}\n`;
process.stdout.write(text);
const directory = new URL("../../docs/results/", import.meta.url).pathname;
mkdirSync(directory, { recursive: true });
writeFileSync(`${directory}bfd-${part}${IS_USUAL ? "" : `-${INTERVAL_MS}`}.json`, text);
process.exitCode = isGood ? 0 : 1;
