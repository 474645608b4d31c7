/**
 * Requests a second by wrk(1) from one client over the number of pods, through Genkan and through what else people put in
 * front of pods; the experiment of the paper in docs/papers.md as far as one machine goes. All ways stand side by side in
 * a guest with one processor and are measured in turns. Prints a JSON line for each figure; keeps docs/results/wrk.md.
 *
 *   node test/bench/wrk/main.ts [--rounds 3] [--seconds 1] [--pods 1,4,10,40] [--results DIRECTORY]
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { CHECKOUT } from "#hack/common/checkout.ts";
import { describeLoad, loadSince, readLoad } from "#hack/common/load.ts";
import { say } from "#hack/common/progress.ts";
import type { Guest } from "#hack/guest/boot.ts";
import { startGuest } from "#hack/guest/guest.ts";
import { svgOf } from "#hack/pictures/svg.ts";
import { cpuMicros, putFirst } from "../forwarding-place.ts";
import { figuresOf, KINDS, type Kind, type Sample } from "./figures.ts";
import { networkScript } from "./namespaces.ts";
import { page } from "./page.ts";
import { plot } from "./plot.ts";
import { Balancers } from "./running.ts";
import { parseWrk } from "./said.ts";
import { MOST_PODS, namespacesOf, urlOf, WAYS, type Way } from "./ways.ts";

const PREFIX = `gkw${process.pid}`;
/** As many as the paper's 800 by its processors. */
const CONNECTIONS = 64;
const MEMORY_MB = 1_500;

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "3" },
    seconds: { type: "string", default: "1" },
    pods: { type: "string", default: "1,4,10,40" },
    results: { type: "string", default: join(CHECKOUT, "docs", "results") },
  },
});
const rounds = Number(values.rounds);
const counts = values.pods.split(",").map(Number);
if (!(rounds >= 1) || !counts.every((count) => count >= 1 && count <= MOST_PODS)) {
  process.stderr.write(`rounds: 1 at least; pods: 1 to ${MOST_PODS}\n`);
  process.exit(2);
}

async function measure(guest: Guest, way: Way, pods: number, kind: Kind): Promise<Sample> {
  const argv = [
    ...["wrk", "-t", "1", "-c", String(CONNECTIONS), "-d", `${values.seconds}s`, "--latency"],
    ...(kind === "new" ? ["-H", "Connection: close"] : []),
    urlOf(way),
  ];
  const before = cpuMicros(guest.pid);
  const { code, stdout, stderr } = await guest.exec(argv, { netns: namespacesOf(PREFIX, way).client });
  const seconds = (cpuMicros(guest.pid) - before) / 1e6;
  if (code !== 0) throw new Error(`${way.name}: wrk ended with ${code}: ${stdout}${stderr}`);
  const { requests, ...rest } = parseWrk(stdout);
  return { way: way.name, pods, kind, perSecond: requests / seconds, ...rest };
}

const began = await readLoad();
const guest = await startGuest({ kernel: "user-mode", memory: MEMORY_MB, progress: say });
putFirst(guest.pid);
try {
  const { code, stderr } = await guest.exec(["sh", "-e"], { input: networkScript(PREFIX) });
  if (code !== 0) throw new Error(`the network was not made: ${stderr}`);
  const balancers = new Balancers(guest, PREFIX);
  await balancers.startPods();
  const samples: Sample[] = [];
  for (let round = 0; round < rounds; round += 1) {
    for (const pods of counts) {
      for (const way of WAYS) await balancers.set(way, pods);
      for (const kind of KINDS) {
        const start = (round * 4) % WAYS.length;
        for (const way of [...WAYS.slice(start), ...WAYS.slice(0, start)])
          samples.push(await measure(guest, way, pods, kind));
      }
      say(`round ${round + 1} of ${rounds}, ${pods} pods`);
    }
  }
  const figures = figuresOf(samples);
  for (const figure of figures) process.stdout.write(`${JSON.stringify(figure)}\n`);
  const about = {
    ...{ rounds, seconds: Number(values.seconds), connections: CONNECTIONS, date: new Date() },
    ...{ kernel: guest.kernel.description, load: describeLoad(await loadSince(began)) },
  };
  await mkdir(values.results, { recursive: true });
  await writeFile(join(values.results, "wrk.md"), page(figures, about));
  await writeFile(join(values.results, "wrk.svg"), svgOf(plot(figures), "test/bench/wrk/plot.ts"));
} finally {
  await guest.stop();
}
