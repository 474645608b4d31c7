/**
 * Many Services and endpoints through the real API server: one real controller, one real speaker under a kernel with ip_vs
 * (a guest's, where this one has none), and slices that change. What is measured is the time from a write of a slice to
 * IPVS. Prints lines of JSON and keeps docs/results/lab-scale.md up to date.
 *
 *   node test/bench/lab-scale.ts [--services 10000] [--endpoints 10] [--rate 100] [--minutes 5]
 *
 * All pods are said to be on the speaker's node: it has each of them in both of its lists then, which is the most that a
 * node can have.
 */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { copyFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { PassThrough } from "node:stream";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";
import { createKubeClient, type KubeClient } from "#common/kube/client.ts";
import { connectionFromKubeconfig } from "#common/kube/connection.ts";
import { addressPools, endpointSlices, type Service, services } from "#common/kube/resource.ts";
import { describeLoad, loadSince, readLoad } from "#hack/common/load.ts";
import { namespaceLines, removeNamespaceLine } from "#hack/common/networks.ts";
import { hasIpvs } from "#hack/guest/ipvs.ts";
import { bundle } from "#hack/images/bundle.ts";
import { startLeader } from "#test/integration/controller-process.ts";
import { Cluster, SYSTEM } from "#test/layer2/speaker-cluster.ts";
import { claimLink, releaseLink } from "#test/network/claim.ts";
import { openMachine, script } from "#test/network/machine.ts";
import { ip } from "#test/network/namespace.ts";
import { until } from "#test/until.ts";
import { listAll } from "./lab-scale-list.ts";
import { type Figures, keep } from "./lab-scale-page.ts";
import { isSampled, readyBody, sliceOf, type World } from "./lab-scale-world.ts";
import { type Writes, writesIn, writesSince } from "./lab-scale-writes.ts";

const NODE = "n1";
const LANES = 16;
const LONG = { deadlineMs: 300_000, everyMs: 500 } as const;
/** As the image starts a speaker (hack/images/stages.ts). */
const FLAGS = [
  "--max-semi-space-size=1",
  "--optimize-for-size",
  "--max-old-space-size=192",
  "--v8-pool-size=1",
];
const CHILD = fileURLToPath(new URL("./lab-scale-child.ts", import.meta.url));
const OWN_DELAYS = fileURLToPath(new URL("./own-delays.ts", import.meta.url));
const KUBECTL = fileURLToPath(new URL("../../.lab/bin/kubectl", import.meta.url));
const ADDON = fileURLToPath(new URL("../../speaker/native/build/socket.node", import.meta.url));

const { values } = parseArgs({
  options: {
    services: { type: "string", default: "10000" },
    endpoints: { type: "string", default: "10" },
    rate: { type: "string", default: "100" },
    minutes: { type: "string", default: "5" },
  },
});
const world: World = { services: Number(values.services), endpoints: Number(values.endpoints), node: NODE };
const [rate, minutes] = [Number(values.rate), Number(values.minutes)];

const tell = (line: string): void => void process.stderr.write(`${line}\n`);
const seconds = (since: number): number => Math.round((performance.now() - since) / 100) / 10;

async function inLanes(count: number, one: (at: number) => Promise<unknown>): Promise<void> {
  const lane = async (first: number): Promise<void> => {
    for (let at = first; at < count; at += LANES) await one(at);
  };
  await Promise.all(Array.from({ length: LANES }, (_, first) => lane(first)));
}

async function apiWrites(kubeconfig: string): Promise<Writes> {
  const argv = ["--kubeconfig", kubeconfig, "get", "--raw", "/metrics"];
  const { stdout } = await promisify(execFile)(KUBECTL, argv, { maxBuffer: 1 << 28 });
  return writesIn(stdout);
}

/** Writes slices that are not sampled, so many a second, until told to stop; how many were written. */
async function churn(kube: KubeClient, perSecond: number, stop: AbortSignal): Promise<number> {
  const ready = new Map<number, boolean>();
  const running = new Set<Promise<void>>();
  const began = performance.now();
  let [written, asked, at] = [0, 0, 0];
  while (!stop.aborted) {
    const due = ((performance.now() - began) / 1_000) * perSecond;
    while (asked < due && running.size < LANES * 2) {
      do at = (at + 7_919) % world.services;
      while (isSampled(at));
      const isReady = ready.get(at) === false;
      ready.set(at, isReady);
      const body = readyBody(at, world, isReady);
      const one = kube
        .patch(endpointSlices, { name: `s${at}`, namespace: "default", type: "merge", body })
        .then(() => {
          written += 1;
        })
        .finally(() => running.delete(one));
      running.add(one);
      asked += 1;
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await Promise.all(running);
  return written;
}

const isHere = hasIpvs();
const { name: uplink, number } = claimLink((name) =>
  isHere ? `link add ${name} type veth peer name ${name}b` : `tuntap add ${name} mode tap`,
);
await using built = new AsyncDisposableStack();
// Whoever ends us gets his machine back as it was.
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.once(signal, () => void built.disposeAsync().finally(() => process.exit(130)));
built.defer(() => releaseLink(uplink));
const address = `172.30.${number}.254`;
ip(`addr add ${address}/24 dev ${uplink}
  link set ${uplink} up`);
const machine = await openMachine({ memory: 5_000, ...(isHere ? {} : { tap: uplink }) });
built.defer(() => machine.stop());
const netns = `gkscale${number}`;
const device = machine.isGuest ? "eth0" : `${uplink}b`;
if (!machine.isGuest) built.defer(() => script(machine, removeNamespaceLine(netns)).then(() => undefined));
await script(
  machine,
  `${namespaceLines(netns).join("\n")}
ip link set ${device} netns ${netns}
ip -n ${netns} link set ${device} name eth0
ip -n ${netns} addr add 172.30.${number}.1/24 dev eth0
ip -n ${netns} addr add fd30:${number}::1/64 dev eth0 nodad
ip -n ${netns} link set eth0 up`,
);

const cluster = await Cluster.start({ address, mode: "IPVS", pool: ["198.18.0.0/15"] });
built.use(cluster);
const { plane, directory } = cluster;
await cluster.kube.patch(addressPools, {
  ...{ name: "pool", namespace: SYSTEM, type: "merge" },
  body: { spec: { interfaces: ["eth0"] } },
});
await cluster.addNode({ name: NODE, IPv4: `172.30.${number}.1`, IPv6: `fd30:${number}::1` });
const connection = connectionFromKubeconfig(plane.kubeconfig, (path) => readFileSync(path, "utf8"));
const kube = createKubeClient(connection, { maxSockets: LANES * 2, keptSockets: LANES * 2 });
built.defer(() => kube.close());
const controller = await startLeader({ plane }, "c0");
built.use(controller);

tell(`making ${world.services} Services of ${world.endpoints} endpoints`);
const load = await readLoad();
const before = await apiWrites(plane.kubeconfig);
let began = performance.now();
await inLanes(world.services, async (at) => {
  await kube.create(services, {
    metadata: { name: `s${at}`, namespace: "default" },
    spec: {
      type: "LoadBalancer",
      allocateLoadBalancerNodePorts: false,
      ports: [{ port: 80, protocol: "TCP", targetPort: 8080 }],
    },
  });
  await kube.create(endpointSlices, sliceOf(at, world));
});
const madeSeconds = seconds(began);
await until(
  "all Services to have addresses",
  async () => {
    let addressed = 0;
    const take = ({ status }: Service): void => {
      if ((status?.loadBalancer?.ingress?.length ?? 0) > 0) addressed += 1;
    };
    await listAll(kube, services, take);
    return addressed === world.services;
  },
  LONG,
);
const addressedSeconds = seconds(began);
tell(`made in ${madeSeconds} s, all have addresses after ${addressedSeconds} s`);
const made = writesSince(before, await apiWrites(plane.kubeconfig));

await bundle(["speaker", "speaker-worker", "speaker-bfd", "speaker-gossip"], {
  outputDirectory: directory,
  version: "bench",
});
await copyFile(ADDON, `${directory}/socket.node`);
const root = machine.isGuest ? "/host" : "";
const delays = machine.isGuest ? "/tmp/own-delays.jsonl" : `${directory}/own-delays.jsonl`;
const environment = { KUBECONFIG: `${root}${plane.kubeconfig}` };
const said: string[] = [];
const speaker = machine.spawn(["node", ...FLAGS, "--import", OWN_DELAYS, `${root}${directory}/speaker.mjs`], {
  netns,
  discard: true,
  env: { ...environment, NODE_NAME: NODE, POD_NAMESPACE: SYSTEM, OWN_DELAYS: delays, MALLOC_ARENA_MAX: "1" },
  onOutput: (chunk) => void said.push(chunk.toString()),
});
built.defer(async () => {
  speaker.kill("SIGKILL");
  await speaker.done.catch(() => undefined);
});
began = performance.now();
const child = machine.spawn(
  ["node", CHILD, JSON.stringify({ world, delays, perSecond: Math.min(4, rate / 10) })],
  {
    netns,
    discard: true,
    env: environment,
    onOutput: (chunk, stream) => (stream === "stdout" ? output.write(chunk) : process.stderr.write(chunk)),
  },
);
built.defer(() => child.kill("SIGKILL"));
const output = new PassThrough();
const lines = createInterface({ input: output })[Symbol.asyncIterator]();
async function answer<T>(what: string): Promise<T> {
  const ended = Promise.race([speaker.done, child.done]).then(({ code }) => {
    throw new Error(`${what}: speaker or child ended with ${code}\n${said.join("").slice(-3_000)}`);
  });
  const { value } = await Promise.race([lines.next(), ended]);
  return JSON.parse(String(value)) as T;
}
const cold = await answer<{ marks: number; destinations: number }>("all to be in the kernel");
const coldSeconds = seconds(began);
tell(`speaker has all in the kernel after ${coldSeconds} s: ${cold.marks} virtual servers`);

const beforeChurn = await apiWrites(plane.kubeconfig);
const loadBefore = await readLoad();
const stop = new AbortController();
child.write(`${JSON.stringify({ measure: minutes * 60_000 })}\n`);
began = performance.now();
const writing = churn(kube, rate - Math.min(4, rate / 10), stop.signal);
const measured = await answer<Figures["measured"]>("the samples").finally(() => stop.abort());
const changes = (await writing) + measured.samples;
const churnSeconds = seconds(began);
const during = describeLoad(await loadSince(loadBefore));
const later = writesSince(beforeChurn, await apiWrites(plane.kubeconfig));
child.write(`${JSON.stringify({ compare: true })}\n`);
const compared = await answer<Figures["compared"]>("the comparison");

const figures: Figures = {
  date: new Date().toISOString().slice(0, 10),
  ...{ ...world, rate, minutes },
  ...{ madeSeconds, addressedSeconds, coldSeconds, cold, changes, churnSeconds },
  ...{ writesMaking: made, writesChurn: later, measured, compared, load: during },
  loadMaking: describeLoad(await loadSince(load)),
};
process.stdout.write(`${JSON.stringify({ name: "lab-scale", ...figures })}\n`);
await keep(figures);
await controller.end("SIGTERM");
