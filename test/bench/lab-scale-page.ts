/** docs/results/lab-scale.json, the last run of each size, and the page that is made of it. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CHECKOUT } from "#hack/common/checkout.ts";
import type { World } from "./lab-scale-world.ts";
import type { Writes } from "./lab-scale-writes.ts";

export interface Figures extends Omit<World, "node"> {
  readonly date: string;
  /** Changes of slices a second that were asked for. */
  readonly rate: number;
  readonly minutes: number;
  readonly madeSeconds: number;
  readonly addressedSeconds: number;
  /** From the speaker's start until IPVS has all. */
  readonly coldSeconds: number;
  readonly cold: { readonly marks: number; readonly destinations: number };
  /** That were written. */
  readonly changes: number;
  readonly churnSeconds: number;
  readonly writesMaking: Writes;
  readonly writesChurn: Writes;
  /** Milliseconds, MiB. */
  readonly measured: {
    readonly samples: number;
    /** That were not there after half a minute. */
    readonly lateSamples: number;
    readonly lag: { readonly p50: number; readonly p99: number; readonly max: number };
    readonly lagAfterAnswer: { readonly p50: number; readonly p99: number };
    /** Of spans of five seconds: the median and the largest of their 99th percentiles, and the longest delay of all. */
    readonly loop: { readonly p50: number; readonly max: number; readonly longest: number };
    /** Every five seconds. */
    readonly rss: readonly number[];
    readonly heap: readonly number[];
    readonly descriptors: readonly [first: number, last: number];
    /** Of one processor, 0 to 1. */
    readonly cpu: number;
    /** Bytes that arrived at the node, without the answers to the samples. */
    readonly received: number;
  };
  /** Marks whose pods were not those that the API server has, and how long it took until there were none. */
  readonly compared: { readonly wrong: number; readonly afterMs: number; readonly marks: number };
  readonly load: string;
  readonly loadMaking: string;
}

const DIRECTORY = join(CHECKOUT, "docs/results");
const LAG_BAR = 200;
const LOOP_BAR = 50;
/** Of resident memory, from the first minute to the last. */
const GROWTH_BAR = 1.1;

type Runs = Readonly<Record<string, Figures>>;

/** Replaces what was kept of a run of that size. */
export async function keep(figures: Figures): Promise<void> {
  const path = join(DIRECTORY, "lab-scale.json");
  const runs = JSON.parse(await readFile(path, "utf8").catch(() => "{}")) as Runs;
  const all: Runs = { ...runs, [`${figures.services}x${figures.endpoints}`]: figures };
  await writeFile(path, `${JSON.stringify(all, undefined, 2)}\n`);
  await writeFile(join(DIRECTORY, "lab-scale.md"), page(Object.values(all)));
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
const verdict = (isMet: boolean): string => (isMet ? "met" : "**missed**");

/** Of the first and of the last minute, MiB. Pure. */
export function growthOf({ rss }: Pick<Figures["measured"], "rss">): {
  first: number;
  last: number;
  isFlat: boolean;
} {
  const minute = Math.min(12, Math.ceil(rss.length / 2));
  const [first, last] = [mean(rss.slice(0, minute)), mean(rss.slice(-minute))];
  return { first, last, isFlat: last <= first * GROWTH_BAR };
}

const ROWS: readonly (readonly [what: string, text: (run: Figures) => string])[] = [
  ["endpoints of each Service; all", ({ services, endpoints }) => `${endpoints}; ${services * endpoints}`],
  ["Services and slices written, s", ({ madeSeconds }) => String(madeSeconds)],
  ["all have addresses after, s", ({ addressedSeconds }) => String(addressedSeconds)],
  ["speaker's start until all is in IPVS, s", ({ coldSeconds }) => String(coldSeconds)],
  ["virtual servers; destinations", ({ cold }) => `${cold.marks}; ${cold.destinations}`],
  [
    "changes of slices a second, asked for; written; for",
    ({ rate, changes, churnSeconds }) =>
      `${rate}; ${(changes / churnSeconds).toFixed(0)}; ${(churnSeconds / 60).toFixed(1)} min`,
  ],
  [
    "write sent until IPVS has it, ms: p50; p99; longest",
    ({ measured: { lag } }) => `${lag.p50}; ${lag.p99}; ${lag.max}`,
  ],
  [
    `p99 of that, bar ${LAG_BAR} ms`,
    ({ measured: { lag, lateSamples } }) => verdict(lag.p99 <= LAG_BAR && lateSamples === 0),
  ],
  [
    "the same from the API server's answer, ms: p50; p99",
    ({ measured: { lagAfterAnswer } }) => `${lagAfterAnswer.p50}; ${lagAfterAnswer.p99}`,
  ],
  [
    `timers of the speaker late, ms: p99 of five seconds, median; the largest; longest delay`,
    ({ measured: { loop } }) => `${loop.p50}; ${loop.max}; ${loop.longest}`,
  ],
  [`p99 of each five seconds, bar ${LOOP_BAR} ms`, ({ measured: { loop } }) => verdict(loop.max <= LOOP_BAR)],
  [
    "resident memory, first minute; last, MiB",
    ({ measured }) => {
      const { first, last, isFlat } = growthOf(measured);
      return `${first.toFixed(0)}; ${last.toFixed(0)} (flat: ${verdict(isFlat)})`;
    },
  ],
  ["descriptors, first; last", ({ measured: { descriptors } }) => descriptors.join("; ")],
  ["processor, % of one", ({ measured: { cpu } }) => (cpu * 100).toFixed(0)],
  [
    "bytes received for each change",
    ({ measured: { received }, changes }) => (received / changes).toFixed(0),
  ],
  [
    "API writes for each Service beside its own making",
    ({ writesMaking, services }) => perService(writesMaking, services),
  ],
  ["API writes while slices changed, beside the slices", ({ writesChurn }) => words(writesChurn)],
  [
    "afterwards IPVS is what the API server has",
    ({ compared: { wrong, afterMs } }) =>
      wrong === 0 ? `yes, after ${(afterMs / 1_000).toFixed(1)} s` : `no: ${wrong} virtual servers differ`,
  ],
];

/** The bench's own. */
const OWN = new Set(["POST services", "POST endpointslices", "PATCH endpointslices"]);

function perService(writes: Writes, services: number): string {
  const others = Object.entries(writes).filter(([what]) => !OWN.has(what));
  return others
    .filter(([, count]) => count >= services / 100)
    .map(([what, count]) => `${what} ${(count / services).toFixed(2)}`)
    .join(", ");
}

const words = (writes: Writes): string =>
  Object.entries(writes)
    .filter(([what]) => !OWN.has(what))
    .map(([what, count]) => `${what} ${count}`)
    .join(", ");

/** Pure. */
export function page(runs: readonly Figures[]): string {
  const sorted = runs.toSorted((a, b) => a.services - b.services);
  const rows = ROWS.map(([what, text]) => `| ${[what, ...sorted.map(text)].join(" | ")} |`);
  const circumstances = sorted.map(
    ({ services, date, load, loadMaking }) =>
      `- ${services} Services, ${date}. While slices changed: ${load}. While all was made: ${loadMaking}.`,
  );
  return `# Many Services through a real API server

\`make bench-lab-scale\`: etcd, kube-apiserver and one controller on this machine, one speaker as the image starts it under a
kernel with ip_vs. No kubelet and no kube-proxy is there: Services and slices are written by the bench, and all pods are
said to be on the speaker's node, so each of them is in both of its lists. Every fiftieth Service is changed and looked at
by a program on the node: its clock says how long it takes from the write to IPVS. The others are changed from outside.
Timers are looked at every 2 ms, so 2 ms of their delays are the looking.

${circumstances.join("\n")}

| | ${sorted.map(({ services }) => `${services.toLocaleString("en")} Services`).join(" | ")} |
|---|${sorted.map(() => "---").join("|")}|
${rows.join("\n")}
`;
}
