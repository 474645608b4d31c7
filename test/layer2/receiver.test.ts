/**
 * A routed network: addresses that are in no segment, a router with a route to the owner of each, and a client behind the
 * router. The owner's speaker calls the sample of a receiver, which changes the route. Real traffic follows the owner, of
 * which another node is the backup.
 */
import assert from "node:assert/strict";
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { RECEIVER_SECRET_TYPE } from "#api/names.ts";
import { loadBalancers, secrets, speakerStatuses } from "#common/kube/resource.ts";
import { createAuthority } from "#hack/lab/pki.ts";
import { ip, run } from "#test/network/namespace.ts";
import { until } from "#test/until.ts";
import { BRIDGE_ADDRESS, Bridge, type Host } from "../network/bridge.ts";
import { Cluster, SYSTEM } from "./speaker-cluster.ts";
import { podsOn } from "./speaker-nodes.ts";
import { SpeakerProcess } from "./speaker-process.ts";

const exec = promisify(execFile);
const NAMES = ["n1", "n2"];
const VIPS = ["198.51.100.1", "fd98::1"];
const KEY = "0123456789abcdef0123456789abcdef";
const SAMPLE = new URL("../../config/samples/owner-receiver/", import.meta.url).pathname;
const PATIENT = { deadlineMs: 60_000 };
/** Says the name of its node to whoever connects. */
const SAYING = `require("node:http").createServer((_, out) => out.end(process.argv[1])).listen(8080, "::");`;

let bridge: Bridge;
let cluster: Cluster;
let client: Host;
let router: Host;
const speakers = new Map<string, SpeakerProcess>();
const children = new Set<ChildProcess>();
let receiver: ChildProcess | undefined;
let receiverFiles: Record<string, string>;

const inside = (host: Host, words: readonly string[], env = {}): ChildProcess => {
  const child = spawn("nsenter", [`--net=/run/netns/${host.namespace}`, ...words], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, ...env },
  });
  children.add(child);
  return child;
};

before(async () => {
  bridge = new Bridge();
  router = bridge.add("rt", 90);
  client = bridge.add("cl", 91);
  connectClient();
  cluster = await Cluster.start({
    address: BRIDGE_ADDRESS,
    mode: "KubeProxy",
    pool: ["198.51.100.0/28", "fd98::/120"],
  });
  const authority = await createAuthority("receivers");
  const { certificate, key } = await authority.issue({
    commonName: "receiver",
    names: [router.addresses.IPv4],
  });
  receiverFiles = {};
  for (const [name, text] of Object.entries({ TLS_CERT: certificate, TLS_KEY: key, KEY })) {
    const path = join(cluster.directory, name);
    await writeFile(path, text);
    receiverFiles[name] = path;
  }
  const data = { key: KEY, "ca.crt": authority.certificate };
  await cluster.kube.create(secrets, {
    metadata: { name: "owners", namespace: SYSTEM },
    type: RECEIVER_SECRET_TYPE,
    data: Object.fromEntries(
      Object.entries(data).map(([name, text]) => [name, Buffer.from(text).toString("base64")]),
    ),
  });
  await startReceiver();
  await cluster.patchLoadBalancer({
    spec: {
      layer2: {
        stickiness: "Sticky",
        ownerChangedURL: `https://${router.addresses.IPv4}:8443/owners`,
        ownerChangedSecret: "owners",
      },
    },
  });
  for (const [at, name] of NAMES.entries()) {
    const host = bridge.add(name, at + 1);
    await cluster.addNode({ name, ...host.addresses });
    serveOn(host);
  }
  await cluster.addService({ name: "web", vips: VIPS, pods: podsOn(NAMES), ipMode: "VIP" });
  for (const name of NAMES) startSpeaker(name);
  for (const name of NAMES)
    await until(`${name} to be ready`, () => cluster.hasCondition(name, "Ready", "True"), PATIENT);
});

after(async () => {
  for (const speaker of speakers.values()) await speaker.end("SIGKILL");
  for (const child of children) child.kill("SIGKILL");
  await cluster?.[Symbol.asyncDispose]();
  bridge?.[Symbol.dispose]();
});

/** The client is on no segment of the nodes: its only link goes to the router. */
function connectClient(): void {
  const [one, other] = [router.namespace, client.namespace];
  ip(`-n ${other} link del eth0
    -n ${one} link add back type veth peer name front netns ${other}
    -n ${one} addr add 10.77.0.1/24 dev back
    -n ${one} addr add fd77::1/64 dev back nodad
    -n ${one} link set back up
    -n ${other} addr add 10.77.0.2/24 dev front
    -n ${other} addr add fd77::2/64 dev front nodad
    -n ${other} link set front up
    -n ${other} route add default via 10.77.0.1
    -n ${other} -6 route add default via fd77::1`);
  for (const setting of ["net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"])
    run("ip", "netns", "exec", one, "sysctl", "-qw", setting);
}

/** What kube-proxy and a pod of the node would do: connections to the addresses end at a server that says its node. */
function serveOn(host: Host): void {
  const { namespace, name } = host;
  ip(`-n ${namespace} route add 10.77.0.0/24 via ${router.addresses.IPv4}
    -n ${namespace} -6 route add fd77::/64 via ${router.addresses.IPv6}`);
  const nft = `table inet web {
    chain in { type nat hook prerouting priority -100;
      ip daddr ${VIPS[0]} tcp dport 80 redirect to :8080
      ip6 daddr ${VIPS[1]} tcp dport 80 redirect to :8080
    }
  }`;
  run("ip", "netns", "exec", namespace, "nft", nft);
  inside(host, [process.execPath, "-e", SAYING, name]);
}

function startSpeaker(name: string): void {
  const host = bridge.hosts.get(name);
  assert.ok(host !== undefined);
  speakers.set(name, new SpeakerProcess(host, cluster.plane.kubeconfig));
}

async function startReceiver(): Promise<void> {
  const env = {
    ...receiverFiles,
    STATE: join(cluster.directory, "owners.json"),
    MOVE: `${SAMPLE}move-route.sh`,
  };
  const child = inside(router, [process.execPath, `${SAMPLE}receiver.mjs`], env);
  let said = "";
  child.stdout?.on("data", (chunk: Buffer) => {
    said += chunk;
  });
  await until("the receiver to listen", () => said.includes("listening"), PATIENT);
  receiver = child;
}

async function stopReceiver(): Promise<void> {
  const child = receiver;
  assert.ok(child !== undefined);
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await ended;
}

/** Who answers a connection of the client; undefined: nobody. */
async function answeredBy(vip: string): Promise<string | undefined> {
  const url = vip.includes(":") ? `http://[${vip}]/` : `http://${vip}/`;
  const words = ["netns", "exec", client.namespace, "curl", "-s", "-g", "-m", "1", url];
  const { stdout } = await exec("ip", words).catch(() => ({ stdout: "" }));
  return stdout === "" ? undefined : stdout;
}

async function owner(vip: string): Promise<string | undefined> {
  return (await cluster.owners()).get(vip);
}

async function untilAnsweredBy(node: string): Promise<void> {
  for (const vip of VIPS)
    await until(`${vip} to be answered by ${node}`, async () => (await answeredBy(vip)) === node, PATIENT);
}

const otherThan = (name: string): string => NAMES.find((one) => one !== name) ?? "";

/** Both addresses are with one node from now on. */
async function gather(): Promise<string> {
  const [leaving = "", staying = ""] = NAMES;
  await cluster.setCordon(leaving, true);
  await untilAnsweredBy(staying);
  await cluster.setCordon(leaving, false);
  return staying;
}

describe("a routed network", { concurrency: false }, () => {
  test("the router sends each address to its owner, and the client is answered by it", async () => {
    for (const vip of VIPS) {
      const name = await until(`${vip} to have an owner`, () => owner(vip), PATIENT);
      await until(`${name} to answer`, async () => (await answeredBy(vip)) === name, PATIENT);
    }
    for (const name of NAMES)
      await until(
        `${name} to say that all is told`,
        () => cluster.hasCondition(name, "ReceiverTold", "True", "Told"),
        PATIENT,
      );
  });

  test("when the owner dies the backup takes over, and keeps what it has when the owner is back", async () => {
    const active = await gather();
    bridge.setCable(active, false);
    await untilAnsweredBy(otherThan(active));
    bridge.setCable(active, true);
    await until(
      `${active} to be heard again`,
      () => cluster.hasCondition(otherThan(active), "MembersHeard", "True"),
      PATIENT,
    );
    await untilAnsweredBy(otherThan(active));
  });

  test("a receiver that is away holds up nothing: its condition says so, and it is told when it is back", async () => {
    const active = await gather();
    const backup = otherThan(active);
    await stopReceiver();
    await cluster.setCordon(active, true);
    for (const vip of VIPS)
      await until(`${backup} to own ${vip}`, async () => (await owner(vip)) === backup, PATIENT);
    await until(
      `${backup} to say that nobody is told`,
      () => cluster.hasCondition(backup, "ReceiverTold", "False", "ReceiverUnreached"),
      PATIENT,
    );
    await until(`${backup} to be ready`, () => cluster.hasCondition(backup, "Ready", "True"), PATIENT);
    await startReceiver();
    await untilAnsweredBy(backup);
    await until(
      `${backup} to say that all is told`,
      () => cluster.hasCondition(backup, "ReceiverTold", "True", "Told"),
      PATIENT,
    );
    await cluster.setCordon(active, false);
  });

  test("a URL that speakers never call is named, and when it is gone nobody is told", async () => {
    const patch = (layer2: object) => cluster.patchLoadBalancer({ spec: { layer2 } });
    await patch({ ownerChangedURL: "https://169.254.169.254/latest" });
    for (const name of NAMES)
      await until(
        `${name} to name it`,
        () => cluster.hasCondition(name, "ReceiverTold", "False", "ReceiverUnusable"),
        PATIENT,
      );
    await patch({ ownerChangedURL: null, ownerChangedSecret: null });
    assert.equal(
      (await cluster.kube.get(loadBalancers, "loadbalancer", SYSTEM))?.spec.layer2?.ownerChangedURL,
      undefined,
    );
    for (const name of NAMES)
      await until(
        `${name} to have no such condition`,
        async () => {
          const status = (await cluster.kube.get(speakerStatuses, name, SYSTEM))?.status;
          return status?.conditions?.every(({ type }) => type !== "ReceiverTold");
        },
        PATIENT,
      );
  });
});
