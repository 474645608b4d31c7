/**
 * How long an address of layer 2 has no answer, seen by a client that asks every 10 ms, and how often it moves though
 * everybody lives. Three speaker processes. Each figure is a line of JSON, for `genkan`.
 * Usage: failover.ts [RUNS] [MINUTES] (20 runs of each kind, 2 minutes of each false alarm).
 */
import { type ChildProcess, spawn } from "node:child_process";
import { availableParallelism, loadavg } from "node:os";
import { run } from "#test/network/namespace.ts";
import { until } from "#test/until.ts";
import { Asker, nowMs } from "../layer2/asker.ts";
import { expected, LONG, NAMES, SpeakerNodes, VIP, VIP6 } from "../layer2/speaker-nodes.ts";
import type { Host } from "../network/bridge.ts";

const [runs = 20, minutes = 2] = process.argv.slice(2).map(Number);
const DEADLINE_MS = 20_000;

await using nodes = await SpeakerNodes.start();
await using asker = await Asker.start(nodes.client, [VIP, VIP6]);
await rest();

function hostOf(name: string): Host {
  const host = nodes.bridge.hosts.get(name);
  if (host === undefined) throw new Error(`no host ${name}`);
  return host;
}

/** All hear each other, and each address is where it belongs. */
async function rest(isServerThere = true): Promise<void> {
  for (const name of NAMES) {
    await until(`${name} to gossip`, () => nodes.speaker(name).said("gossip runs"), LONG);
    if (isServerThere)
      await until(
        `${name} to hear everybody`,
        () => nodes.cluster.hasCondition(name, "MembersHeard", "True"),
        LONG,
      );
  }
  for (const vip of [VIP, VIP6]) await asker.only(vip, hostOf(expected(vip)), 60_000);
}

function print(benchmark: string, figures: object): void {
  const load = Math.round((loadavg()[0] ?? 0) * 10) / 10;
  const line = { program: "genkan", benchmark, ...figures, cpus: availableParallelism(), load };
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

function spread(times: readonly number[]): object {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (share: number): number =>
    Math.round(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0);
  return { p50_ms: at(0.5), p99_ms: at(0.99), most_ms: Math.round(sorted.at(-1) ?? 0), runs: sorted.length };
}

/** Times of `runs` takeovers, milliseconds. */
async function takeovers(
  vip: string,
  take: (owner: string) => unknown,
  giveBack: (owner: string) => unknown,
  isServerThere = true,
): Promise<number[]> {
  const owner = expected(vip);
  const times: number[] = [];
  for (let turn = 0; turn < runs; turn++) {
    asker.forget();
    // Not always at the same moment of a ping's interval.
    const end = nowMs() + ((turn * 37) % 100);
    await until("a moment", () => nowMs() >= end, { everyMs: 1 });
    const since = nowMs();
    await take(owner);
    times.push(await asker.firstOfAnother(vip, hostOf(owner), { since, deadlineMs: DEADLINE_MS }));
    await giveBack(owner);
    await rest(isServerThere);
  }
  return times;
}

/** Addresses announced by anybody in so many minutes. */
async function moves(): Promise<number> {
  const count = (): number => NAMES.reduce((sum, name) => sum + nodes.speaker(name).announced().length, 0);
  const before = count();
  const end = nowMs() + minutes * 60_000;
  await until("the time to pass", () => nowMs() >= end, { everyMs: 500, deadlineMs: minutes * 70_000 });
  return count() - before;
}

const cut = (owner: string): void => nodes.bridge.setCable(owner, false);
const mend = (owner: string): void => nodes.bridge.setCable(owner, true);

await nodes.cluster.plane.stopProgram("kube-apiserver");
print("power-cut-first-answer-v4", { ...spread(await takeovers(VIP, cut, mend, false)), api: "stopped" });
print("power-cut-first-answer-v6", { ...spread(await takeovers(VIP6, cut, mend, false)), api: "stopped" });
await nodes.cluster.plane.startProgram("kube-apiserver");
await rest();
const kill = (owner: string): Promise<void> => nodes.speaker(owner).end("SIGKILL");
const restart = (owner: string): unknown => nodes.start(owner);
print("speaker-killed", { ...spread(await takeovers(VIP, kill, restart)), api: "there" });

for (const name of NAMES) {
  onHost(
    name,
    `table inet weather {
      chain in { type filter hook input priority 0; udp dport 7474 numgen random mod 100 < 20 drop; }
    }`,
  );
}
print("false-moves-loss", { moves: await moves(), minutes, weather: "every fifth datagram of gossip lost" });
for (const name of NAMES) onHost(name, "delete table inet weather");
await rest();

const busy: ChildProcess[] = Array.from({ length: 8 }, () =>
  spawn(process.execPath, ["-e", "for (;;);"], { stdio: "ignore" }),
);
print("false-moves-starved", { moves: await moves(), minutes, weather: "8 busy processes" });
for (const one of busy) one.kill("SIGKILL");

function onHost(name: string, commands: string): void {
  run("ip", "netns", "exec", hostOf(name).namespace, "nft", commands);
}
