/** The lab itself: nodes with real pods, hosts that reach them, and nothing left afterwards. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { copyFile, mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { CHECKOUT } from "#hack/common/checkout.ts";
import { run } from "#hack/common/command.ts";
import { hostCarrier } from "#hack/lab/carrier.ts";
import { takeDown } from "#hack/lab/down.ts";
import { writeImage } from "#hack/lab/image.ts";
import { loadImages } from "#hack/lab/images.ts";
import { CLUSTER_DNS, layoutOf, netnsOf, nodeOf } from "#hack/lab/layout.ts";
import { addNode, kubectl, removeNode, setLink } from "#hack/lab/members.ts";
import { readState } from "#hack/lab/state.ts";
import { bringUp } from "#hack/lab/up.ts";
import { until } from "#test/until.ts";

const layout = layoutOf(8);
const nodes = ["node1", "node2"];
const tell = (line: string): void => {
  process.stderr.write(`# ${line}\n`);
};
const OPTIONS = {
  nodes: 2,
  forwarding: "KubeProxy",
  isControlPlaneOnly: false,
  isGuestForced: false,
} as const;

const POD = (name: string, node: string): string => `
apiVersion: v1
kind: Pod
metadata: { name: ${name}, labels: { app: web } }
spec:
  nodeName: ${node}
  terminationGracePeriodSeconds: 0
  containers:
    - name: web
      image: lab.test/web:1
      imagePullPolicy: Never
      args: [sh, -c, "echo ${name} > /tmp/index.html; exec /bin/busybox httpd -f -p 8080 -h /tmp"]
      volumeMounts: [{ name: tmp, mountPath: /tmp }]
      readinessProbe: { httpGet: { path: /index.html, port: 8080 }, periodSeconds: 1 }
  volumes: [{ name: tmp, emptyDir: {} }]
---
`;

/** A Service without an address of its own: its name leads to every pod. */
const HEADLESS = `
apiVersion: v1
kind: Service
metadata: { name: web }
spec:
  clusterIP: None
  ipFamilyPolicy: RequireDualStack
  selector: { app: web }
  ports: [{ name: http, port: 8080 }]
`;

/** What there is on this machine of the instance: links, namespaces, cgroups, processes, routes, files. */
function traces(): string[] {
  const own = (name: string): boolean => name.startsWith(`gk${layout.instance}`);
  const list = (path: string): string[] => (existsSync(path) ? readdirSync(path) : []);
  const groups = ["", ...list("/sys/fs/cgroup")].flatMap((h) => list(join("/sys/fs/cgroup", h)));
  const processes = list("/proc").filter((pid) => {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) return false;
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(`${layout.directory}/`);
    } catch {
      // It ended between the two looks.
      return false;
    }
  });
  const routes = execFileSync("sh", ["-c", "ip route; ip -6 route"])
    .toString()
    .split("\n")
    .filter((line) => line.includes(`gk${layout.instance}br`));
  return [
    ...[...list("/sys/class/net"), ...list("/run/netns"), ...groups].filter(own),
    ...processes.map((pid) => `process ${pid}`),
    ...routes,
    ...readFileSync("/proc/self/mounts", "utf8")
      .split("\n")
      .filter((line) => line.includes(layout.directory)),
    ...(existsSync(layout.directory) ? [layout.directory] : []),
  ];
}

const SYSCTLS = ["vm/overcommit_memory", "kernel/panic", "kernel/panic_on_oops"];
const sysctls = (): string[] => SYSCTLS.map((name) => readFileSync(join("/proc/sys", name), "utf8"));
const sysctlsBefore = sysctls();

/** The page of a pod, as a host of the lab gets it. */
function ask(netns: string | undefined, address: string): Promise<string> {
  const host = address.includes(":") ? `[${address}]` : address;
  const enter = netns === undefined ? [] : ["nsenter", `--net=/run/netns/${netns}`];
  return run([...enter, "curl", "-gsS", "-m", "5", `http://${host}:8080/index.html`]);
}

async function addressesOf(pod: string): Promise<string[]> {
  const output = await kubectl(layout, ["get", "pod", pod, "-o", "jsonpath={.status.podIPs[*].ip}"]);
  return output.split(" ");
}

/** Prints what a name server answers, as JSON: records, or the error's code. */
const QUERY = `
const [server, type, name] = process.argv.slice(1);
const resolver = new (require("node:dns").promises.Resolver)({ timeout: 10000, tries: 1 });
resolver.setServers([server]);
resolver.resolve(name, type).catch((error) => error.code).then((a) => console.log(JSON.stringify(a)));
`;

/** What the cluster's name server answers a node. */
async function resolve(name: string, type: "A" | "AAAA" | "SRV" | "PTR", server = CLUSTER_DNS.v4) {
  const enter = ["nsenter", `--net=/run/netns/${netnsOf(layout, "node1")}`];
  const host = server.includes(":") ? `[${server}]` : server;
  const answer = JSON.parse(await run([...enter, process.execPath, "-e", QUERY, host, type, name]));
  return Array.isArray(answer) ? answer.sort() : answer;
}

function inPod(pod: string, argv: readonly string[]): Promise<string> {
  return kubectl(layout, ["exec", pod, "--", "/bin/busybox", ...argv]);
}

async function webImage(): Promise<string> {
  const root = join(layout.directory, "web");
  await mkdir(join(root, "bin"), { recursive: true });
  await copyFile("/bin/busybox", join(root, "bin", "busybox"));
  const archive = join(layout.directory, "web.tar");
  await writeImage({ name: "lab.test/web:1", layers: [root], entrypoint: ["/bin/busybox"] }, archive);
  return archive;
}

before(async () => {
  await takeDown(layout, tell);
  assert.deepEqual(traces(), []);
  // Two at a time: the second waits for the first and finds what it wants.
  const told: string[] = [];
  const bringUpToo = bringUp(layout, OPTIONS, (line) => told.push(line));
  await bringUp(layout, OPTIONS, (line) => told.push(line));
  await bringUpToo;
  tell(told.join("\n# "));
  assert.equal(told.filter((line) => /is up already/.test(line)).length, 1);
  assert.equal(told.filter((line) => /^starting etcd/.test(line)).length, 1);
  const target = { layout, carrier: hostCarrier(layout), nodes: nodes.map((name) => nodeOf(layout, name)) };
  await loadImages(target, { archives: [await webImage()], tell });
  const file = join(layout.directory, "pods.yaml");
  await writeFile(file, nodes.map((node) => POD(`web-${node}`, node)).join("") + HEADLESS);
  await kubectl(layout, ["apply", "-f", file]);
  await kubectl(layout, ["wait", "pod", "-l", "app=web", "--for=condition=Ready", "--timeout=60s"]);
});
after(async () => {
  await takeDown(layout, tell);
});

test("every host reaches every pod, by both families", async () => {
  const places = [undefined, ...["client", "router", ...nodes].map((place) => netnsOf(layout, place))];
  for (const node of nodes) {
    const addresses = await addressesOf(`web-${node}`);
    assert.equal(addresses.length, 2);
    for (const address of addresses) {
      for (const place of places)
        assert.equal(await ask(place, address), `web-${node}\n`, `${place} ${address}`);
    }
  }
});

test("the API server verifies and reaches kubelets: logs and exec", async () => {
  assert.equal(await kubectl(layout, ["logs", "web-node2"]), "");
  assert.equal(await inPod("web-node2", ["cat", "/tmp/index.html"]), "web-node2\n");
});

test("a pod is told the cluster's name server and search path, and finds names by them", async () => {
  assert.equal(
    await inPod("web-node2", ["cat", "/etc/resolv.conf"]),
    `search default.svc.cluster.local svc.cluster.local cluster.local
nameserver ${CLUSTER_DNS.v4}
options ndots:5
`,
  );
  const full = await inPod("web-node2", ["nslookup", "kubernetes.default.svc.cluster.local"]);
  assert.match(full, /Address: 10\.96\.0\.1$/m);
  const page = () => inPod("web-node2", ["wget", "-qO-", "http://web:8080/index.html"]);
  await until("a pod to find another by a name", async () => /^web-node[12]\n$/.test(await page()));
});

test("the cluster's name server knows Services, and pods behind one without an address", async () => {
  const pods = await Promise.all(nodes.map((node) => addressesOf(`web-${node}`)));
  const name = "web.default.svc.cluster.local";
  const ofFamily = (version: 0 | 1) => pods.map((addresses) => addresses[version]).sort();
  for (const server of [CLUSTER_DNS.v4, CLUSTER_DNS.v6]) {
    await until(`${server} to know both pods`, async () => (await resolve(name, "A", server)).length === 2);
    assert.deepEqual(await resolve(name, "A", server), ofFamily(0));
    // Each family has an EndpointSlice of its own.
    await until(`${server} to know them by the other family`, async () => {
      assert.deepEqual(await resolve(name, "AAAA", server), ofFamily(1));
      return true;
    });
    assert.deepEqual(await resolve("kubernetes.default.svc.cluster.local", "A", server), ["10.96.0.1"]);
  }
  const ports = await resolve(`_http._tcp.${name}`, "SRV");
  assert.deepEqual(new Set(ports.map(({ port }: { port: number }) => port)), new Set([8080]));
  assert.deepEqual(await resolve("10.0.96.10.in-addr.arpa", "PTR"), [
    "kube-dns.kube-system.svc.cluster.local",
  ]);
});

test("what there is not is said at once, in the cluster and beyond", async () => {
  for (const name of ["absent.default.svc.cluster.local", "example.com", "1.2.0.192.in-addr.arpa"])
    for (const type of ["A", "AAAA"] as const)
      assert.equal(await resolve(name, type), "ENOTFOUND", `${type} ${name}`);
});

test("the command runs commands on hosts, with their output and exit code", async () => {
  const lab = [process.execPath, join(CHECKOUT, "hack/lab/main.ts"), "--instance", String(layout.instance)];
  const output = await run([...lab, "exec", "client", "--", "ip", "-br", "addr", "show", "eth0"]);
  assert.match(output, new RegExp(layout.client.v4.replaceAll(".", "\\.")));
  assert.equal(await run([...lab, "exec", "node1", "--", "cat"], { input: "as it came" }), "as it came");
  await assert.rejects(run([...lab, "exec", "client", "--", "sh", "-c", "exit 7"]), /exit code 7/);
  await assert.rejects(run([...lab, "exec", "node7", "--", "true"]), /there are node1, node2/);
});

test("a node that is cut off is silent until it is mended", async () => {
  const [address = ""] = await addressesOf("web-node2");
  await setLink(layout, "node2", "down");
  await assert.rejects(ask(undefined, address));
  await setLink(layout, "node2", "up");
  await until("node2 to answer again", async () => (await ask(undefined, address)) === "web-node2\n");
});

test("a node comes and goes", async () => {
  await addNode(layout, "node3", tell);
  assert.match(await kubectl(layout, ["get", "nodes"]), /node3 +Ready/);
  await removeNode(layout, "node3", tell);
  assert.doesNotMatch(await kubectl(layout, ["get", "nodes"]), /node3/);
  assert.deepEqual((await readState(layout))?.nodes, nodes);
  assert.ok(!traces().some((trace) => trace.includes("node3") || trace === nodeOf(layout, "node3").link));
});

test("up on what is up changes nothing, and is refused with other options", async () => {
  const processes = (await readState(layout))?.processes;
  await bringUp(layout, OPTIONS, tell);
  assert.deepEqual((await readState(layout))?.processes, processes);
  await assert.rejects(bringUp(layout, { ...OPTIONS, forwarding: "IPVS" }, tell), /other options/);
});

test("down leaves nothing, also of a lab whose state is lost", async () => {
  assert.notDeepEqual(traces(), []);
  await rm(join(layout.directory, "state.json"));
  await takeDown(layout, tell);
  assert.deepEqual(traces(), []);
  assert.deepEqual(sysctls(), sysctlsBefore);
});
