/**
 * The part of lab-scale.ts on the speaker's node: it looks into the kernel there. Waits until IPVS has every pod, and
 * prints that; then does what lines of its input say:
 *   {"measure": MILLISECONDS}  writes slices itself, and how long each takes to IPVS, by one clock
 *   {"compare": true}          whether IPVS has what the API server has
 */
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { createKubeClient } from "#common/kube/client.ts";
import { connectionFromKubeconfig } from "#common/kube/connection.ts";
import { type EndpointSlice, endpointSlices } from "#common/kube/resource.ts";
import { AF_INET } from "#speaker/netlink/domain.ts";
import { Ipvs } from "#speaker/netlink/ipvs.ts";
import { NetlinkSocket, PROTOCOL } from "#speaker/netlink/socket.ts";
import { listAll } from "./lab-scale-list.ts";
import type { Figures } from "./lab-scale-page.ts";
import { addressOf, isSampled, readyBody, type World } from "./lab-scale-world.ts";
import type { OwnDelay } from "./own-delays.ts";

interface Options {
  readonly world: World;
  /** File of own-delays.ts. */
  readonly delays: string;
  readonly perSecond: number;
}

const LOOK_EVERY_MS = 2;
const LATEST_MS = 30_000;
const COMPARE_MS = 60_000;
/** Of an answer beside its body. */
const HEADERS = 400;
const { world, delays, perSecond } = JSON.parse(process.argv[2] ?? "") as Options;
const kubeconfig = process.env.KUBECONFIG ?? "";
const kube = createKubeClient(connectionFromKubeconfig(kubeconfig, (path) => readFileSync(path, "utf8")));
const counter = { written: 0 };
const open = (): NetlinkSocket => new NetlinkSocket(PROTOCOL.generic, counter);
const ipvs = new Ipvs(open(), open());
const print = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);
const round = (ms: number): number => Math.round(ms * 10) / 10;

/** Pods that take connections by a mark. */
const podsOf = (mark: number): Set<string> =>
  new Set(
    ipvs
      .destinations({ family: AF_INET, mark })
      .filter(({ weight }) => weight > 0)
      .map(({ address }) => address),
  );

function allMarks(): number[] {
  const marks: number[] = [];
  for (const part of ipvs.walk())
    for (const { family, mark } of part) if (family === AF_INET) marks.push(mark);
  return marks;
}

/** A pod of each Service -> the Service. */
const services = new Map(
  Array.from({ length: world.services }, (_, at) => [addressOf(at, 1, world), at] as const),
);
/** Service -> its marks. */
const marksOf = new Map<number, number[]>();

async function untilAllIsThere(): Promise<{ marks: number; destinations: number }> {
  const full = new Set<number>();
  for (;;) {
    const marks = allMarks();
    if (marks.length >= world.services) {
      for (const mark of marks) {
        if (full.has(mark)) continue;
        const pods = podsOf(mark);
        const at = [...pods].map((pod) => services.get(pod)).find((one) => one !== undefined);
        if (at === undefined || pods.size < world.endpoints) continue;
        full.add(mark);
        marksOf.set(at, [...(marksOf.get(at) ?? []), mark]);
      }
      if (full.size === marks.length && marksOf.size === world.services)
        return { marks: marks.length, destinations: marks.length * world.endpoints };
    }
    await sleep(500);
  }
}

const isThere = (at: number, isWanted: boolean): boolean =>
  (marksOf.get(at) ?? []).every((mark) => podsOf(mark).has(addressOf(at, 0, world)) === isWanted);

function bytesReceived(): number {
  const line = readFileSync("/proc/net/dev", "utf8").match(/eth0:\s*(\d+)/);
  return Number(line?.[1] ?? Number.NaN);
}

function percentile(samples: readonly number[], part: number): number {
  const sorted = samples.toSorted((a, b) => a - b);
  return round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN);
}

async function measure(lastMs: number): Promise<Figures["measured"]> {
  const sampled = [...marksOf.keys()].filter(isSampled).sort((a, b) => a - b);
  const ready = new Map<number, boolean>();
  const [lags, afterAnswer]: number[][] = [[], []];
  const [from, received] = [Date.now(), bytesReceived()];
  const began = performance.now();
  let [own, late] = [0, 0];
  for (let sample = 0; performance.now() - began < lastMs; sample += 1) {
    const at = sampled[sample % sampled.length] ?? 0;
    const isReady = ready.get(at) === false;
    ready.set(at, isReady);
    const body = readyBody(at, world, isReady);
    const sentAt = performance.now();
    let answeredAt = 0;
    const writing = kube
      .patch(endpointSlices, { name: `s${at}`, namespace: "default", type: "merge", body })
      .then((slice) => {
        answeredAt = performance.now();
        own += JSON.stringify(slice).length + HEADERS;
      });
    while (!isThere(at, isReady) && performance.now() - sentAt < LATEST_MS) await sleep(LOOK_EVERY_MS);
    const seenAt = performance.now();
    await writing;
    if (seenAt - sentAt >= LATEST_MS) late += 1;
    lags?.push(seenAt - sentAt);
    afterAnswer?.push(Math.max(0, seenAt - answeredAt));
    await sleep(Math.max(0, began + ((sample + 1) * 1_000) / perSecond - performance.now()));
  }
  const spans = readFileSync(delays, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as OwnDelay)
    .filter(({ at }) => at > from);
  const loops = spans.map(({ p99 }) => p99);
  const [first, last] = [spans[0], spans.at(-1)];
  return {
    samples: lags?.length ?? 0,
    lateSamples: late,
    lag: {
      p50: percentile(lags ?? [], 0.5),
      p99: percentile(lags ?? [], 0.99),
      max: percentile(lags ?? [], 1),
    },
    lagAfterAnswer: { p50: percentile(afterAnswer ?? [], 0.5), p99: percentile(afterAnswer ?? [], 0.99) },
    loop: {
      p50: percentile(loops, 0.5),
      max: percentile(loops, 1),
      longest: Math.max(...spans.map(({ max }) => max)),
    },
    rss: spans.map(({ rss }) => Math.round(rss)),
    heap: spans.map(({ heap }) => Math.round(heap)),
    descriptors: [first?.descriptors ?? 0, last?.descriptors ?? 0],
    cpu: round(((last?.cpu ?? 0) - (first?.cpu ?? 0)) / (((last?.at ?? 0) - (first?.at ?? 0)) / 1_000)),
    received: bytesReceived() - received - own,
  };
}

/** Until it is so: the last changes are on their way. */
async function compare(): Promise<Figures["compared"]> {
  const began = performance.now();
  for (;;) {
    const wanted = new Map<number, Set<string>>();
    const take = ({ metadata, endpoints }: EndpointSlice): void => {
      const ready = endpoints?.filter(({ conditions }) => conditions?.ready !== false) ?? [];
      wanted.set(Number(metadata.name.slice(1)), new Set(ready.flatMap(({ addresses }) => addresses)));
    };
    await listAll(kube, endpointSlices, take);
    let wrong = 0;
    for (const [at, marks] of marksOf)
      for (const mark of marks)
        if (podsOf(mark).symmetricDifference(wanted.get(at) ?? new Set()).size > 0) wrong += 1;
    const afterMs = Math.round(performance.now() - began);
    if (wrong === 0 || afterMs > COMPARE_MS) return { wrong, afterMs, marks: allMarks().length };
    await sleep(500);
  }
}

print(await untilAllIsThere());
for await (const line of createInterface({ input: process.stdin })) {
  const { measure: lastMs } = JSON.parse(line) as { measure?: number };
  print(lastMs === undefined ? await compare() : await measure(lastMs));
}
