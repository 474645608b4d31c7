/**
 * `make soak`: a lab under traffic and churn for hours, and whether a request fails or anything grows. Prints a line of JSON
 * for each failed request and a summary; the page is docs/results/soak.md. Ends with 1 if something was not as promised.
 *
 *     node test/soak/main.ts [--hours 4]
 */
import { mkdir, writeFile } from "node:fs/promises";
import { availableParallelism, release } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { CHECKOUT } from "#hack/common/checkout.ts";
import { describeLoad, loadSince, readLoad } from "#hack/common/load.ts";
import { Watch } from "#test/chaos/watch.ts";
import { bringUp, NODES, takeAway } from "#test/chaos/world.ts";
import { type Churned, churn, letPodsServeOn } from "./coming-and-going.ts";
import { faultsOf, growthsOf, type Sample } from "./growth.ts";
import { restartsOf, takeSamples } from "./samples.ts";
import { page, type Story } from "./soak-page.ts";

const RESULTS = `${CHECKOUT}/docs/results`;
const IN_A_ROW = 10;
const { values } = parseArgs({ options: { hours: { type: "string", default: "4" } } });
const hours = Number(values.hours);
if (!(hours > 0)) throw new Error(`--hours ${values.hours}: a number of hours`);
/** So that a quarter of an hour has enough of them, and four hours not too many. */
const SAMPLE_MS = Math.max(20_000, (hours * 3_600_000) / 240);
const tell = (line: string): void => void process.stderr.write(`${line}\n`);
const print = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);

const world = await bringUp("IPVS", tell);
const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.once(signal, () => void world.cluster[Symbol.asyncDispose]().finally(() => process.exit(130)));
try {
  const { cluster } = world;
  const samples: Sample[] = [];
  let seen: ReturnType<Watch["seen"]>;
  let churned: Churned;
  let opened = 0;
  await letPodsServeOn(cluster);
  const load = await readLoad();
  {
    await using watch = await Watch.start(world.watch);
    while (!watch.isWell(0, IN_A_ROW)) await sleep(100);
    const well = Date.now();
    tell(`all addresses are answered: ${hours} hours begin`);
    const began = performance.now();
    const churning = churn(cluster, stop.signal, tell);
    // What ends the churn ends the run: nothing would be tried any more.
    churning.catch(() => stop.abort());
    while (!stop.signal.aborted && performance.now() - began < hours * 3_600_000) {
      samples.push(...(await takeSamples(cluster, NODES, performance.now() - began)));
      await sleep(SAMPLE_MS, undefined, { signal: stop.signal }).catch(() => undefined);
    }
    stop.abort();
    churned = await churning;
    const all = watch.seen();
    // Those before all addresses were well are of the start.
    seen = { ...all, requests: all.requests.filter(({ at }) => at >= well) };
    opened = watch.opened;
  }
  const failures = seen.requests.filter(({ isAnswered }) => !isAnswered);
  for (const { vip, at, took, error } of failures)
    print({ failed: vip, at: new Date(at).toISOString(), took, error });
  const restarts = await restartsOf(cluster);
  const left = await takeAway(world).catch((error: unknown) => [String(error)]);
  const story: Story = {
    minutes: Math.round(hours * 60),
    date: new Date().toISOString().slice(0, 10),
    machine: `${availableParallelism()} processors, Linux ${release()}`,
    load: describeLoad(await loadSince(load)),
    ...{ ...churned, opened, restarts, left },
    ...{ requests: seen.requests.length, failed: failures.length, lost: seen.losses.length },
    longestMs: seen.requests.reduce((longest, { took }) => Math.max(longest, took), 0),
    growths: growthsOf(samples),
  };
  const faults = faultsOf(story);
  print({ benchmark: "soak", ...story, faults });
  await mkdir(RESULTS, { recursive: true });
  await writeFile(`${RESULTS}/soak.md`, page(story));
  process.exitCode = faults.length === 0 ? 0 : 1;
} finally {
  await world.cluster[Symbol.asyncDispose]();
}
