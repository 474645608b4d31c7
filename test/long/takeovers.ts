/**
 * What a few minutes of testing cannot show: `kills`: how soon an address is answered again after its owner's speaker
 * was killed, over many deaths; `moves`: 60+60 flows over many moves between nodes drawn by the seed. One line of JSON
 * for each result; the last of each kind is kept in docs/results/layer2-<part>.json. Ends with 1 when a bar is missed.
 *
 *     node test/long/takeovers.ts kills 200 [seed] | moves 100 [seed]
 */

import { mkdirSync, writeFileSync } from "node:fs";
import { cpus, release } from "node:os";
import { Flows } from "#test/dataplane/flows.ts";
import { IpvsNodes } from "#test/dataplane/ipvs-nodes.ts";
import { expected, others, SpeakerNodes, VIP, VIP6 } from "#test/layer2/speaker-nodes.ts";
import { drawer } from "#test/seeded.ts";

const RESULTS = new URL("../../docs/results/", import.meta.url);
const BAR_MS = 10_000;
const FLOWS = 60;

interface Result {
  readonly what: string;
  readonly seed: number;
  readonly isWithinBar: boolean;
  readonly [figure: string]: unknown;
}

async function kills(count: number, seed: number): Promise<Result> {
  await using nodes = await SpeakerNodes.start();
  const draw = drawer(seed);
  const took: number[] = [];
  for (let kill = 1; kill <= count; kill += 1) {
    const vip = draw(2) === 0 ? VIP : VIP6;
    const owner = expected(vip);
    await nodes.speaker(owner).end("SIGKILL");
    // Waits for exactly one answer: two owners count as none.
    const limits = { deadlineMs: 3 * BAR_MS, everyMs: 20 };
    took.push(Math.round(await nodes.ownedBy(vip, expected(vip, others(owner)), limits)));
    nodes.start(owner);
    await nodes.ownedBy(vip, owner);
    if (kill % 10 === 0)
      process.stderr.write(`${kill} of ${count} kills, the last after ${took.at(-1)} ms\n`);
  }
  took.sort((a, b) => a - b);
  const at = (share: number): number => took[Math.min(took.length - 1, Math.floor(share * took.length))] ?? 0;
  const untilAnsweredMs = { p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1) };
  const what = "SIGKILL of the owner's speaker until exactly one other node answers for the address";
  return { what, seed, kills: count, untilAnsweredMs, isWithinBar: at(1) <= BAR_MS };
}

async function moves(count: number, seed: number): Promise<Result> {
  await using nodes = await IpvsNodes.start();
  const draw = drawer(seed);
  const vips = nodes.topology.vip(0);
  const targets = Object.values(vips).map((address, at) => ({
    address,
    flows: FLOWS,
    firstPort: 20_000 + at * FLOWS,
  }));
  const flows = new Flows(nodes.machine, nodes.topology, { targets, port: 80, intervalMs: 500 });
  await flows.progress(2, 120_000);
  let at = nodes.route(vips)[0] ?? "";
  await nodes.moveTo(vips, at);
  for (let move = 1; move < count; move += 1) {
    const next = nodes.names().filter((name) => name !== at);
    at = next[draw(next.length)] ?? at;
    await nodes.moveTo(vips, at);
    await flows.progress(2, 60_000);
    if (move % 10 === 0) {
      process.stderr.write(`${move} of ${count} moves: ${JSON.stringify(await flows.summary())}\n`);
    }
  }
  await flows.progress(2, 60_000);
  const { broken, stalled, wrongBytes, moved, pods, maxGapMs } = await flows.stop();
  const isWithinBar = broken + stalled + wrongBytes + moved === 0;
  const what = `${FLOWS}+${FLOWS} flows over moves of their addresses by the speakers' election`;
  const inGuest = nodes.machine.isGuest;
  return {
    what,
    seed,
    inGuest,
    moves: count,
    broken,
    stalled,
    wrongBytes,
    moved,
    pods,
    maxGapMs,
    isWithinBar,
  };
}

const [part = "", count = "", seed = String(Date.now() % 2 ** 31)] = process.argv.slice(2);
const run = { kills, moves }[part];
if (run === undefined || !(Number(count) > 0)) {
  process.stderr.write("usage: takeovers.ts kills|moves COUNT [SEED]\n");
  process.exit(2);
}
const began = performance.now();
const result = {
  ...(await run(Number(count), Number(seed))),
  seconds: Math.round((performance.now() - began) / 1000),
  date: new Date().toISOString().slice(0, 10),
  machine: { node: process.version, kernel: release(), cores: cpus().length },
};
mkdirSync(RESULTS, { recursive: true });
writeFileSync(new URL(`layer2-${part}.json`, RESULTS), `${JSON.stringify(result, null, 2)}\n`);
process.stdout.write(`${JSON.stringify(result)}\n`);
if (!result.isWithinBar) process.exitCode = 1;
