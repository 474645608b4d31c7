/**
 * How often addresses of layer 2 move though every node lives. Each kind of trouble has three speakers of its own, for so
 * many minutes. Usage: false-moves.ts [MINUTES] [KIND...] (60, all kinds); a row in JSON for each.
 */
import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { loadavg } from "node:os";
import { fileURLToPath } from "node:url";
import { systemClock } from "#common/clock.ts";
import { IpvsNodes } from "#test/dataplane/ipvs-nodes.ts";
import { LONG, NAMES, SpeakerNodes, VIP, VIP6 } from "#test/layer2/speaker-nodes.ts";
import { until } from "#test/until.ts";
import type { Row } from "./failover-page.ts";

const MINUTE_MS = 60_000;
const BUSY = 8;
/** Until everybody has heard everybody for a while. */
const SETTLES_MS = 15_000;

type Trouble = (minutes: number) => Promise<{ readonly moves: number; readonly weather: string }>;

/** Under a kernel that can delay packets: a guest's. */
const loss: Trouble = async (minutes) => {
  const stalls = fileURLToPath(new URL("stalls.ts", import.meta.url));
  await using nodes = await IpvsNodes.start(["env", `NODE_OPTIONS=--import=${stalls}`]);
  await systemClock.sleep(SETTLES_MS);
  for (const name of nodes.names())
    await nodes.on(name, "tc qdisc replace dev eth0 root netem delay 100ms 100ms loss 20% limit 10000");
  const announced = (): number => nodes.countOf("address announced");
  const before = announced();
  // What counts no moves at all, or has no weather, would be as glad.
  assert.ok(before > 0, "no speaker says what it announces");
  await systemClock.sleep(minutes * MINUTE_MS);
  const moves = announced() - before;
  for (const name of nodes.names())
    assert.match(await nodes.on(name, "tc -s qdisc show dev eth0"), /netem.*\n.*dropped [1-9]/);
  const weather =
    "a fifth of all frames lost, each 0 to 200 ms late, main threads stand still for 1 s every 9 to 11";
  return { moves, weather };
};

const starved: Trouble = async (minutes) => {
  await using nodes = await gossiping();
  const announced = (): number =>
    NAMES.reduce((sum, name) => sum + nodes.speaker(name).announced().length, 0);
  const before = announced();
  const busy: ChildProcess[] = Array.from({ length: BUSY }, () =>
    spawn(process.execPath, ["-e", "for (;;);"], { stdio: "ignore" }),
  );
  await systemClock.sleep(minutes * MINUTE_MS);
  for (const one of busy) one.kill("SIGKILL");
  return { moves: announced() - before, weather: `${BUSY} busy processes` };
};

/** Counts the addresses that another node had when a speaker that was stopped for a second had gone on for five. */
const stopped: Trouble = async (minutes) => {
  await using nodes = await gossiping();
  const ownerOf = async (vip: string): Promise<string> =>
    (await nodes.bridge.owners(nodes.client, vip)).sort().join(" ");
  const end = performance.now() + minutes * MINUTE_MS;
  let moves = 0;
  for (let turn = 0; performance.now() < end; turn++) {
    const before = [await ownerOf(VIP), await ownerOf(VIP6)];
    const { pid } = nodes.speaker(NAMES[turn % NAMES.length] ?? "");
    process.kill(pid, "SIGSTOP");
    await systemClock.sleep(1_000);
    process.kill(pid, "SIGCONT");
    await systemClock.sleep(5_000);
    for (const [at, vip] of [VIP, VIP6].entries()) if ((await ownerOf(vip)) !== before[at]) moves += 1;
    await systemClock.sleep(4_000);
  }
  return { moves, weather: "one speaker stopped for 1 s, every 10 s" };
};

const TROUBLES: Readonly<Record<string, Trouble>> = { loss, starved, stopped };

async function gossiping(): Promise<SpeakerNodes> {
  const nodes = await SpeakerNodes.start();
  for (const name of NAMES)
    await until(
      `${name} to hear everybody`,
      () => nodes.cluster.hasCondition(name, "MembersHeard", "True"),
      LONG,
    );
  await systemClock.sleep(SETTLES_MS);
  return nodes;
}

async function measure(kind: string, minutes: number): Promise<Row> {
  const trouble = TROUBLES[kind];
  if (trouble === undefined) throw new Error(`no kind ${kind}: ${Object.keys(TROUBLES).join(", ")}`);
  const { moves, weather } = await trouble(minutes);
  const load = Math.round((loadavg()[0] ?? 0) * 10) / 10;
  const figures = { moves, minutes, bar: 0, weather };
  return { program: "genkan", benchmark: `false-moves-${kind}`, figures, load };
}

const [minutes = "60", ...asked] = process.argv.slice(2);
const [kind = "", ...others] = asked.length > 0 ? asked : Object.keys(TROUBLES);
if (others.length === 0) process.stdout.write(`${JSON.stringify(await measure(kind, Number(minutes)))}\n`);
// Each in a process of its own, as a process has one bridge.
else
  for (const one of [kind, ...others])
    execFileSync(process.execPath, [fileURLToPath(import.meta.url), minutes, one], { stdio: "inherit" });
