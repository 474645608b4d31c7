/**
 * What forwarding costs: microseconds added to a request, and the kernel's work on a packet, for routing alone, for
 * kube-proxy's nftables DNAT, for IPVS alone, and for what Genkan writes; the ways side by side, in turns. Where this
 * kernel has no ip_vs that is measured in a guest, and what needs no ip_vs on this kernel as well: how far the two agree
 * is how far the guest can be believed. Prints a JSON line for each figure, then the tables that
 * docs/results/forwarding.md keeps.
 *
 *   node test/bench/forwarding.ts [--rounds 7] [--ms 150] [--families IPv4,IPv6] [--results FILE]
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { FAMILIES, type Family } from "#api/address.ts";
import { CHECKOUT } from "#hack/common/checkout.ts";
import { run } from "#hack/common/command.ts";
import { describeLoad, loadSince, readLoad } from "#hack/common/load.ts";
import { say } from "#hack/common/progress.ts";
import { ensureProgram } from "#hack/guest/cache.ts";
import { hasIpvs } from "#hack/guest/ipvs.ts";
import { judgeRates } from "./forwarding-bars.ts";
import { figuresOf } from "./forwarding-figures.ts";
import { BenchError, here, inGuest, type Place } from "./forwarding-place.ts";
import { type Calibration, report } from "./forwarding-report.ts";
import { KINDS, MOST_ROUNDS, type Sample, takeSample } from "./forwarding-samples.ts";
import { genkanInput } from "./forwarding-states.ts";
import { namespacesOf, WAYS, type Way } from "./forwarding-ways.ts";
import { removalScript, worldScript } from "./forwarding-world.ts";

/** Of every name on this machine: two runs do not meet. */
const PREFIX = `gkf${process.pid}`;
const GENKAN = join(import.meta.dirname, "forwarding-genkan.ts");
/** The first round is a part of the warming up. */
const WARM_ROUNDS = 1;

interface Options {
  readonly rounds: number;
  readonly ms: number;
  readonly families: readonly Family[];
  readonly results: string;
}

function parseOptions(): Options {
  const { values } = parseArgs({
    options: {
      rounds: { type: "string", default: "7" },
      ms: { type: "string", default: "150" },
      families: { type: "string", default: FAMILIES.join(",") },
      results: { type: "string", default: join(CHECKOUT, "docs", "results", "forwarding.md") },
    },
  });
  const [rounds, ms] = [Number(values.rounds), Number(values.ms)];
  const families = FAMILIES.filter((family) => values.families.split(",").includes(family));
  if (!(rounds >= 1 && rounds < MOST_ROUNDS && ms >= 10 && families.length > 0))
    throw new BenchError(`rounds: 1 to ${MOST_ROUNDS - 1}; ms: 10 at least; families: ${FAMILIES.join(",")}`);
  return { rounds, ms, families, results: values.results };
}

/** A place with the ways that can be measured there. */
interface Ground {
  readonly place: Place;
  readonly ways: readonly Way[];
}

async function prepare({ place, ways }: Ground): Promise<void> {
  await place.exec(["sh", "-e"], { input: worldScript(PREFIX, ways) });
  for (const way of ways.filter(({ name }) => name.startsWith("genkan"))) {
    const at = namespacesOf(PREFIX, way);
    const write = (netns: string, isPodLocal: boolean): Promise<string> =>
      place.exec([process.execPath, GENKAN, JSON.stringify(genkanInput(way, isPodLocal))], { netns });
    await write(at.node, way.shape === "near");
    if (way.shape === "far") await write(at.other, true);
  }
}

/** Ways in turns, one kind of work after the other: what is compared lies seconds apart. Each round begins elsewhere. */
async function measureRound(
  { place, ways }: Ground,
  { program, round, options }: { program: string; round: number; options: Options },
): Promise<Sample[]> {
  const samples: Sample[] = [];
  // The first round only warms up.
  const ms = round < WARM_ROUNDS ? options.ms / 4 : options.ms;
  const start = (round * 4) % ways.length;
  const turned = [...ways.slice(start), ...ways.slice(0, start)];
  const order = round % 2 === 0 ? turned : turned.reverse();
  for (const family of options.families)
    for (const kind of KINDS)
      for (const way of order)
        samples.push(await takeSample(place, program, PREFIX, { way, family, kind, round, ms }));
  return samples;
}

async function measureAll(grounds: readonly Ground[], program: string, options: Options): Promise<Sample[]> {
  const samples: Sample[] = [];
  for (let round = 0; round < options.rounds + WARM_ROUNDS; round += 1) {
    for (const ground of grounds) {
      const taken = await measureRound(ground, { program, round, options });
      for (const { place, way, family, kind, faults } of taken)
        if (faults > 0) say(`${place}, ${way}, ${family}, ${kind}: ${faults} faults`);
      if (round >= WARM_ROUNDS) samples.push(...taken);
    }
    say(
      `${round < WARM_ROUNDS ? "warm" : `round ${round - WARM_ROUNDS + 1} of ${options.rounds}`}, load average ${load()}`,
    );
  }
  return samples;
}

const load = (): string => (loadavg()[0] ?? 0).toFixed(1);

async function versions(): Promise<string> {
  const nft = await run(["nft", "--version"]);
  const ip = await run(["ip", "-V"]);
  return `nft ${/v([\d.]+)/.exec(nft)?.[1] ?? "?"}, iproute2 ${/iproute2-([\d.]+)/.exec(ip)?.[1] ?? "?"}`;
}

/** Of a processor, what the load had while it worked. */
function shareOf(samples: readonly Sample[]): number {
  const sum = (of: (sample: Sample) => number): number =>
    samples.reduce((total, sample) => total + of(sample), 0);
  return sum(({ cpuMicros }) => cpuMicros) / sum(({ wallMicros }) => wallMicros);
}

const options = parseOptions();
const program = await ensureProgram(join(import.meta.dirname, "forwarding-load.c"), "forwarding-load");
const isIpvsHere = hasIpvs();
const grounds: Ground[] = [{ place: here(), ways: WAYS.filter(({ needsIpvs }) => isIpvsHere || !needsIpvs) }];
if (!isIpvsHere) grounds.push({ place: await inGuest(say), ways: WAYS });
const began = await readLoad();
process.once("exit", () => spawnSync("sh", ["-c", removalScript(PREFIX)]));
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));
try {
  for (const ground of grounds) await prepare(ground);
  say(`${grounds.map(({ place, ways }) => `${place.kernel}: ${ways.length} ways`).join("; ")}`);
  const calibrations: Calibration[] = [];
  for (const { place } of grounds)
    calibrations.push(JSON.parse(await place.exec([program, "calibrate", ...place.load])) as Calibration);
  const samples = await measureAll(grounds, program, options);
  const figures = figuresOf(samples, WAYS);
  for (const figure of figures) process.stdout.write(`${JSON.stringify(figure)}\n`);
  for (const [, taken] of Map.groupBy(samples, ({ place }) => place))
    for (const rate of judgeRates(taken)) process.stdout.write(`${JSON.stringify(rate)}\n`);
  const text = report({
    figures,
    grounds: grounds.map(({ place }, at) => ({
      place: place.name,
      kernel: place.kernel,
      calibration: calibrations[at] as Calibration,
      share: shareOf(samples.filter((sample) => sample.place === place.name)),
    })),
    circumstances: [
      `\`make bench-forwarding\`, ${new Date().toISOString().slice(0, 10)}; medians of ${options.rounds} rounds, the ways in turns; requests for ${options.ms} ms, packets`,
      `for ${options.ms / 2} ms at a time. ${cpus().length} cores (${cpus()[0]?.model ?? "?"}), Node ${process.versions.node}, ${await versions()}.`,
      ...grounds.map(({ place }) => `- ${place.name === "here" ? "here" : "guest"}: ${place.kernel}`),
      `- while it ran, ${describeLoad(await loadSince(began))}`,
    ],
  });
  process.stdout.write(`\n${text}`);
  mkdirSync(dirname(options.results), { recursive: true });
  writeFileSync(options.results, text);
} finally {
  for (const { place } of grounds) await place.stop();
}
