/**
 * node test/bench/speaker-memory.ts [layer2|bgp] [SERVICES...]: resident memory of the bundled speaker with the image's
 * flags, idle and with so many Services of ten endpoints each, in mode KubeProxy, against a real API server on loopback;
 * with bgp, a BIRD at the other end of a cable is told all addresses.
 */
import { execFile, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { copyFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { forwardingCondition } from "#api/forwarding-ids.ts";
import { createKubeClient } from "#common/kube/client.ts";
import { connectionFromKubeconfig } from "#common/kube/connection.ts";
import {
  addressPools,
  bgpPeers,
  endpointSlices,
  loadBalancers,
  namespaces,
  nodes,
  services,
} from "#common/kube/resource.ts";
import { cableLines, namespaceLines, removeLinkLine, removeNamespaceLine } from "#hack/common/networks.ts";
import { bundle } from "#hack/images/bundle.ts";
import { startControlPlane } from "#hack/lab/control-plane.ts";
import { Daemon } from "#test/interop/process.ts";
import { build } from "#test/network/namespace.ts";

import { until } from "#test/until.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const SYSTEM = "genkan-system";
const FLAGS = [
  "--max-semi-space-size=1",
  "--optimize-for-size",
  "--max-old-space-size=192",
  "--v8-pool-size=1",
];
const HTTP_PORT = "17472";
const ENDPOINTS = 10;
const AT_ONCE = 16;
/** The cable's other end, for bgp. */
const PEER_SPACE = "gkmem-peer";
const [OURS, PEER] = ["203.0.113.1", "203.0.113.2"];
const words = process.argv.slice(2);
const protocol = words.includes("bgp") ? "bgp" : "layer2";
const counts = words.map(Number).filter((count) => count > 0);

const dir = await mkdtemp(join(tmpdir(), "genkan-memory-"));
const plane = await startControlPlane({ dir: join(dir, "plane"), programs: [] });
const kube = createKubeClient(
  connectionFromKubeconfig(plane.kubeconfig, (path) => readFileSync(path, "utf8")),
  {
    maxSockets: AT_ONCE,
  },
);
await promisify(execFile)(`${ROOT}.lab/bin/kubectl`, [
  "--kubeconfig",
  plane.kubeconfig,
  "apply",
  "-k",
  `${ROOT}config/crd`,
]);
await bundle(["speaker", "speaker-worker"], { outputDirectory: dir, version: "bench" });
await copyFile(`${ROOT}speaker/native/build/socket.node`, join(dir, "socket.node"));
await until("the CRDs", () => kube.list(loadBalancers), { deadlineMs: 30_000 });
await kube.create(namespaces, { metadata: { name: SYSTEM } });
await kube.create(nodes, { metadata: { name: "n1" } });
await kube.create(loadBalancers, {
  metadata: { name: "loadbalancer", namespace: SYSTEM },
  spec: { forwarding: { mode: "KubeProxy" } },
});
await kube.create(addressPools, {
  metadata: { name: "pool", namespace: SYSTEM },
  spec: {
    protocol,
    addresses: ["198.18.0.0/15"],
    ...(protocol === "layer2" ? { interfaces: ["bench0"] } : {}),
  },
});
if (protocol === "bgp")
  await kube.create(bgpPeers, {
    metadata: { name: "edge", namespace: SYSTEM },
    spec: { myASN: 64_512, peerASN: 65_001, peerAddress: PEER, sourceAddress: OURS, routerID: OURS },
  });
// The speaker has to reach the API server on loopback, so it runs outside of a namespace, on a cable of its own.
// A run that was killed leaves it.
build(
  removeNamespaceLine(PEER_SPACE),
  removeLinkLine("bench0"),
  namespaceLines(PEER_SPACE),
  cableLines(
    { link: "bench0", addresses: protocol === "bgp" ? [`${OURS}/24`] : [] },
    { namespace: PEER_SPACE, link: "bench1", addresses: [`${PEER}/24`] },
  ),
);
const bird = protocol === "bgp" ? await startPeer() : undefined;
function startSpeaker() {
  const env = {
    KUBECONFIG: plane.kubeconfig,
    NODE_NAME: "n1",
    POD_NAMESPACE: SYSTEM,
    HTTP_PORT,
    METRICS_ACCESS: "Loopback",
    MALLOC_ARENA_MAX: "1",
  };
  return spawn(process.execPath, [...FLAGS, join(dir, "speaker.mjs")], {
    stdio: ["ignore", "ignore", "inherit"],
    env: { ...process.env, ...env },
  });
}

async function endSpeaker(): Promise<void> {
  const ended = new Promise((resolve) => speaker.once("exit", resolve));
  speaker.kill("SIGTERM");
  await ended;
}

const announced = (): Promise<number> =>
  metric(
    protocol === "bgp"
      ? 'genkan_bgp_prefixes{peer="edge",direction="advertised"}'
      : 'genkan_announced_addresses{protocol="layer2",family="IPv4"}',
  );
let speaker = startSpeaker();
try {
  await until("readiness", async () => (await fetch(`http://127.0.0.1:${HTTP_PORT}/readyz`)).ok, {
    deadlineMs: 30_000,
  });
  await report("idle");
  let made = 0;
  for (const count of counts) {
    for (; made < count; made += AT_ONCE) {
      await Promise.all(
        Array.from({ length: Math.min(AT_ONCE, count - made) }, (_, at) => addService(made + at)),
      );
    }
    await until(`${count} addresses`, async () => (await announced()) >= count, { deadlineMs: 120_000 });
    await report(`${count} Services`);
    await endSpeaker();
    speaker = startSpeaker();
    await until("all of them again", async () => (await announced()) >= count, { deadlineMs: 60_000 });
    await report(`${count} Services, after a restart`);
  }
} finally {
  await endSpeaker();
  await bird?.stop();
  build(removeLinkLine("bench0"), removeNamespaceLine(PEER_SPACE));
  kube.close();
  await plane.stop();
  await rm(dir, { recursive: true, force: true });
}

/** BIRD behind the cable. */
async function startPeer(): Promise<Daemon> {
  const config = join(dir, "bird.conf");
  await writeFile(
    config,
    `router id ${PEER};
protocol device {}
protocol bgp edge { local ${PEER} as 65001; neighbor ${OURS} as 64512; ipv4 { import all; export none; }; }
`,
  );
  const files = ["-c", config, "-s", join(dir, "bird.ctl"), "-P", join(dir, "bird.pid")];
  return new Daemon({
    namespace: PEER_SPACE,
    command: ["bird", "-f", ...files],
    logFile: join(dir, "bird.log"),
  });
}

async function addService(at: number): Promise<void> {
  const name = `s${at}`;
  const namespace = "default";
  await kube.create(services, {
    metadata: { name, namespace },
    spec: {
      type: "LoadBalancer",
      ports: [{ port: 80, protocol: "TCP" }],
      allocateLoadBalancerNodePorts: false,
    },
  });
  await kube.create(endpointSlices, {
    metadata: { name, namespace, labels: { "kubernetes.io/service-name": name } },
    addressType: "IPv4",
    ports: [{ name: "", port: 8080, protocol: "TCP" }],
    endpoints: Array.from({ length: ENDPOINTS }, (_, pod) => ({
      addresses: [`10.${pod}.${at >> 8}.${at & 255}`],
      nodeName: "n1",
      conditions: { ready: true, serving: true, terminating: false },
    })),
  });
  const given = forwardingCondition(["pool"], { "IPv4/TCP/80": at + 1 });
  const conditions = [{ ...given, lastTransitionTime: "2026-01-01T00:00:00Z" }];
  const loadBalancer = { ingress: [{ ip: `198.18.${at >> 8}.${at & 255}` }] };
  const body = { status: { loadBalancer, conditions } };
  await kube.patch(services, { name, namespace, subresource: "status", type: "merge", body });
}

async function metric(name: string): Promise<number> {
  const page = await (await fetch(`http://127.0.0.1:${HTTP_PORT}/metrics`)).text();
  const line = page.split("\n").find((text) => text.startsWith(`${name} `));
  return Number(line?.slice(name.length + 1) ?? Number.NaN);
}

/** Resident memory, what of it is anonymous, and processor time of the calmest of three spans of ten seconds. */
async function report(what: string): Promise<void> {
  let cpu = Number.POSITIVE_INFINITY;
  for (let span = 0; span < 3; span += 1) {
    const before = await metric("genkan_process_cpu_seconds_total");
    await new Promise((resolve) => setTimeout(resolve, 10_000));
    cpu = Math.min(cpu, ((await metric("genkan_process_cpu_seconds_total")) - before) * 10);
  }
  const status = readFileSync(`/proc/${speaker.pid}/status`, "utf8");
  const mib = (field: string): string => {
    const kib = Number(new RegExp(`${field}:\\s+(\\d+)`).exec(status)?.[1] ?? Number.NaN);
    return (kib / 1024).toFixed(1);
  };
  process.stdout.write(
    `${what}: resident ${mib("VmRSS")} MiB (peak ${mib("VmHWM")}, anonymous ${mib("RssAnon")}), processor ${cpu.toFixed(2)} %\n`,
  );
}
