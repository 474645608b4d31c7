/**
 * `make chaos`: faults of all kinds, drawn by a seed, to a lab under traffic, and whether it keeps what it promises. The
 * schedule is printed first; then a line of JSON for each fault, one for each breach, and a summary. The page is
 * docs/results/chaos.md. Ends with 1 where a promise was broken.
 *
 *     node test/chaos/main.ts [--seed N] [--minutes 10] [--only KIND,KIND] [--mode KubeProxy|BGP] [--schedule]
 */
import { mkdir, writeFile } from "node:fs/promises";
import { availableParallelism, release } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { CHECKOUT } from "#hack/common/checkout.ts";
import { describeLoad, isStarved, loadSince, readLoad } from "#hack/common/load.ts";
import { hasIpvs } from "#hack/guest/ipvs.ts";
import { carryOut } from "./carry-out.ts";
import { FAULT_KINDS, type Fault, type FaultKind, faultOf } from "./faults.ts";
import { BARS, type Breach, type Done, judge, STARVED_BARS } from "./judge.ts";
import { costOf, page, type Story, summaryOf } from "./report.ts";
import { type Planned, scheduleOf, type Turn, wordsOf } from "./schedule.ts";
import { nowMs, Watch } from "./watch.ts";
import { bringUp, MODES, NODES, takeAway, type World } from "./world.ts";

const RESULTS = `${CHECKOUT}/docs/results`;
/** Where the page of a run of all kinds is kept. Of kube-proxy's forwarding it is not. */
const PAGES: Partial<Record<string, string>> = { IPVS: "chaos.md", BGP: "chaos-bgp.md" };
/** What the pods said, where a promise was broken: the lab is gone then. */
const EXPLAINED = `${CHECKOUT}/build/chaos.log`;
/** Of each address, so many requests in a row are answered when it is well. */
const IN_A_ROW = 10;

const { values } = parseArgs({
  options: {
    seed: { type: "string" },
    minutes: { type: "string" },
    only: { type: "string" },
    mode: { type: "string" },
    schedule: { type: "boolean" },
  },
});
const seed = Number(values.seed || Math.floor(Math.random() * 2 ** 31));
const minutes = Number(values.minutes || 10);
const mode = MODES.find((one) => one === (values.mode || "IPVS"));
if (mode === undefined) throw new Error(`--mode ${values.mode}: one of ${MODES.join(", ")}`);
const kinds = kindsOf(values.only);
const turns = scheduleOf({ seed, minutes, nodes: NODES, kinds });
const print = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);
const tell = (line: string): void => void process.stderr.write(`${line}\n`);

tell(`SEED=${seed} MINUTES=${minutes} make chaos: ${turns.length} turns`);
for (const { at, faults } of turns) tell(`  ${at / 1_000} s: ${faults.map(wordsOf).join("; ")}`);
if (values.schedule === true) process.exit(0);

function kindsOf(text: string | undefined): FaultKind[] {
  const wanted = text?.split(",").filter((one) => one !== "") ?? [];
  const unknown = wanted.find((one) => !FAULT_KINDS.some((kind) => kind === one));
  if (unknown !== undefined) throw new Error(`--only ${unknown}: one of ${FAULT_KINDS.join(", ")}`);
  // Without a kernel of their own, the nodes' clock and disk are this machine's.
  const isGuest = mode !== "KubeProxy" && !hasIpvs();
  const isPossible = ({ needsGuest, needsIpvs, needsBgp }: Fault): boolean =>
    (isGuest || needsGuest !== true) &&
    (mode !== "KubeProxy" || needsIpvs !== true) &&
    (mode === "BGP" || needsBgp !== true);
  return FAULT_KINDS.filter((kind) => wanted.length === 0 || wanted.includes(kind)).filter((kind) =>
    isPossible(faultOf(kind)),
  );
}

/** The fault, when it began and was over, and how starved the machine was meanwhile and until all was well. */
async function turn(world: World, watch: Watch, { faults }: Turn): Promise<Done[]> {
  const load = await readLoad();
  const done = await Promise.all(faults.map((planned) => one(world, planned)));
  const over = Math.max(...done.map(({ to }) => to));
  while (nowMs() < over + STARVED_BARS.convergeMs && !watch.isWell(over, IN_A_ROW)) await sleep(100);
  const during = await loadSince(load);
  // What comes later than it may is still of this fault.
  await sleep(Math.max(0, over + BARS.convergeMs - nowMs()));
  const starvation = isStarved(during) ? { starvation: describeLoad(during) } : {};
  return done.map((fault) => ({ ...fault, ...starvation })).sort((a, b) => a.from - b.from);
}

async function one(world: World, planned: Planned): Promise<Done> {
  const { isLossless = false, takesPods: takes = false } = faultOf(planned.kind);
  // With kube-proxy, connections do not outlive a move of their address (docs/dataplane.md).
  const takesPods = takes || mode === "KubeProxy";
  const from = nowMs();
  const error = await carryOut(world, planned).then(
    () => undefined,
    (cause: unknown) => (cause instanceof Error ? (cause.message.split("\n")[0] ?? "") : String(cause)),
  );
  const done = { what: wordsOf(planned), from, to: nowMs(), isLossless, takesPods };
  return error === undefined ? done : { ...done, error };
}

async function run(world: World): Promise<Story> {
  const faults: Done[] = [];
  const told = new Set<string>();
  const tellBreaches = (breaches: readonly Breach[]): void => {
    for (const breach of breaches) {
      const key = `${breach.promise} ${Math.round(breach.at)} ${breach.fault}`;
      if (told.has(key)) continue;
      told.add(key);
      print({ breach });
    }
  };
  await using watch = await Watch.start(world.watch);
  while (!watch.isWell(0, IN_A_ROW)) await sleep(100);
  tell("all addresses are answered: faults begin");
  const began = nowMs();
  for (const next of turns) {
    if (nowMs() - began > minutes * 60_000) break;
    const done = await turn(world, watch, next);
    faults.push(...done);
    tellFaults(done, faults, watch);
    tellBreaches(judge(watch.seen(), faults));
  }
  const seen = watch.seen();
  const opened = watch.opened;
  const breaches = judge(seen, faults);
  tellBreaches(breaches);
  if (breaches.length > 0) {
    await mkdir(`${CHECKOUT}/build`, { recursive: true });
    await writeFile(EXPLAINED, (await world.cluster.explain()).whole);
    tell(`what all said: ${EXPLAINED}`);
  }
  const left = await takeAway(world).catch((error: unknown) => [String(error)]);
  const date = new Date().toISOString().slice(0, 10);
  const machine = `${availableParallelism()} processors, Linux ${release()}`;
  return { seed, minutes, mode: mode ?? "", date, machine, faults, breaches, seen, opened, left };
}

function tellFaults(done: readonly Done[], faults: readonly Done[], watch: Watch): void {
  for (const fault of done) {
    const { failed, lateMs } = costOf(faults, faults.indexOf(fault), watch.seen());
    const seconds = Math.round(fault.to - fault.from) / 1_000;
    print({ fault: fault.what, seconds, failed, last_failure_s: lateMs / 1_000, starved: fault.starvation });
  }
}

const world = await bringUp(mode, tell);
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.once(signal, () => void world.cluster[Symbol.asyncDispose]().finally(() => process.exit(130)));
try {
  const story = await run(world);
  for (const what of story.left) print({ breach: { promise: "left", what } });
  print({ benchmark: "chaos", seed, minutes, ...summaryOf(story) });
  await mkdir(RESULTS, { recursive: true });
  const kept = values.only === undefined || values.only === "" ? PAGES[story.mode] : undefined;
  if (kept !== undefined) await writeFile(`${RESULTS}/${kept}`, page(story));
  process.exitCode = story.breaches.length + story.left.length > 0 ? 1 : 0;
} finally {
  await world.router?.[Symbol.asyncDispose]();
  await world.cluster[Symbol.asyncDispose]();
}
