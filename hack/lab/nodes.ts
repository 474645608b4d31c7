/** Nodes: started on their carrier, ready when Kubernetes says so. */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { run } from "#hack/common/command.ts";
import type { Say } from "#hack/common/progress.ts";
import type { SplitArchive } from "#hack/lab/archive.ts";
import type { Carrier } from "#hack/lab/carrier.ts";
import { DaemonError, type ProcessRecord, startTimeOf } from "#hack/lab/daemon.ts";
import { kubeconfig } from "#hack/lab/kubeconfig.ts";
import { BIN_DIRECTORY, type Layout, type NodeLayout } from "#hack/lab/layout.ts";
import { podRoutes } from "#hack/lab/network.ts";
import { nodeFiles } from "#hack/lab/node-files.ts";
import { powerOffScript, rebootNodeScript, startNodeScript, stopNodeScript } from "#hack/lab/node-script.ts";
import type { Authority } from "#hack/lab/pki.ts";

export interface NodeContext {
  readonly layout: Layout;
  readonly carrier: Carrier;
  readonly authority: Authority;
  /** URL of the API server. */
  readonly server: string;
  /** Path of the administrator's kubeconfig. */
  readonly kubeconfig: string;
}

/** Starts the node's programs; resolves to its first process where this machine carries it. */
export async function startNode(context: NodeContext, node: NodeLayout): Promise<ProcessRecord | undefined> {
  const { layout, carrier, authority, server } = context;
  const directory = join(carrier.directory, node.name);
  const credentialsOf = async (commonName: string, organization: string) =>
    kubeconfig({
      server,
      authority: authority.certificate,
      user: await authority.issue({ commonName, organization }),
      name: "genkan-lab",
    });
  const files = nodeFiles({
    layout,
    node,
    directory,
    binDirectory: BIN_DIRECTORY,
    authority: authority.certificate,
    serving: await authority.issue({
      commonName: node.name,
      names: [node.name, node.address.v4, node.address.v6],
    }),
    kubeletKubeconfig: await credentialsOf(`system:node:${node.name}`, "system:nodes"),
    proxyKubeconfig: await credentialsOf("system:kube-proxy", "system:node-proxier"),
  });
  const output = await carrier.script(
    startNodeScript({
      layout,
      node,
      directory,
      seed: join(carrier.directory, "seed"),
      binDirectory: BIN_DIRECTORY,
      files,
    }),
  );
  return firstProcessOf(carrier, node, output);
}

/** Where this machine carries the node. */
function firstProcessOf(carrier: Carrier, node: NodeLayout, output: string): ProcessRecord | undefined {
  if (carrier.kind === "guest") return undefined;
  const pid = Number(output.trim());
  const log = join(carrier.directory, node.name, "log", "init.log");
  return { name: node.name, pid, startTime: startTimeOf(pid) ?? "", log };
}

/** A power cut. Who starts the node again tells the others the way to its pods (routeBetween). */
export async function powerOff(carrier: Carrier, node: NodeLayout): Promise<void> {
  await carrier.script(powerOffScript(node));
}

/** After powerOff: starts what is on its disk; resolves as startNode. */
export async function rebootNode(
  layout: Layout,
  carrier: Carrier,
  node: NodeLayout,
): Promise<ProcessRecord | undefined> {
  const directory = join(carrier.directory, node.name);
  const output = await carrier.script(rebootNodeScript({ layout, node, directory }));
  return firstProcessOf(carrier, node, output);
}

export async function stopNode(carrier: Carrier, node: NodeLayout): Promise<void> {
  await carrier.script(stopNodeScript({ node, directory: join(carrier.directory, node.name) }));
}

/** Every node knows the way to every other node's pods. */
export async function routeBetween(carrier: Carrier, nodes: readonly NodeLayout[]): Promise<void> {
  const script = nodes.map((node) => {
    const others = nodes.filter((other) => other !== node);
    return `ip -n ${node.netns} -batch - <<END\n${podRoutes(others)}END\n`;
  });
  await carrier.script(script.join(""));
}

/** The other nodes forget a node's pods. */
export async function unrouteBetween(
  carrier: Carrier,
  gone: NodeLayout,
  rest: readonly NodeLayout[],
): Promise<void> {
  const lines = rest.flatMap(({ netns }) =>
    [gone.podRange.v4, gone.podRange.v6].map((range) => `ip -n ${netns} route del ${range} || true`),
  );
  await carrier.script(lines.join("\n"));
}

/** Gives an archive of images to nodes' container runtimes, all at a time. */
export async function importImages(
  carrier: Carrier,
  nodes: readonly NodeLayout[],
  { archive, layers }: SplitArchive,
): Promise<void> {
  const shared = `${carrier.directory}/layers`;
  const copies = layers.map(
    ({ path, digest }) =>
      `if [ ! -f ${shared}/${digest} ]; then cp ${path} ${shared}/${digest}.new; mv ${shared}/${digest}.new ${shared}/${digest}; fi\n`,
  );
  const imports = nodes.map(({ name }) =>
    importScript(`${carrier.directory}/${name}`, { archive, layers }, shared),
  );
  await carrier.script(`export PATH=${BIN_DIRECTORY}:$PATH
mkdir -p ${shared}
${copies.join("")}pids=
${imports.join("")}for p in $pids; do wait $p; done`);
}

/**
 * A layer that lies in the content store's directory is made known by an ingest that finds nothing left to read.
 * Tried again, because the runtime may be starting, or collect a layer that no image names yet.
 */
function importScript(directory: string, { archive, layers }: SplitArchive, shared: string): string {
  const store = `${directory}/root/io.containerd.content.v1.content/blobs/sha256`;
  const ctr = `ctr -a ${directory}/containerd.sock -n k8s.io`;
  const ingests = layers.map(
    ({ digest, size }) =>
      `[ -f ${store}/${digest} ] || ln ${shared}/${digest} ${store}/${digest}
${ctr} content ingest --expected-digest sha256:${digest} --expected-size ${size} layer-${digest} <${store}/${digest} &&
`,
  );
  const log = `${directory}/log/import.log`;
  return `( i=0; until [ -S ${directory}/containerd.sock ] || [ $i -ge 600 ]; do sleep 0.1; i=$((i+1)); done
mkdir -p ${store}
give() {
${ingests.join("")}${ctr} images import --local ${archive}
}
i=0; until give >${log} 2>&1; do i=$((i+1)); if [ $i -ge 10 ]; then cat ${log}; exit 1; fi; sleep 0.5; done ) &
pids="$pids $!"
`;
}

/** Waits until Kubernetes calls every node Ready; fails early when a program of a node ended. */
export async function waitForNodes(
  context: NodeContext,
  nodes: readonly NodeLayout[],
  { deadlineMs, tell }: { deadlineMs: number; tell: Say },
): Promise<void> {
  const end = performance.now() + deadlineMs;
  let said = "";
  let lastLook = 0;
  for (;;) {
    const ready = await readyNodes(context.kubeconfig);
    const missing = nodes.filter((node) => !ready.has(node.name)).map((node) => node.name);
    if (missing.length === 0) return;
    const line = `waiting for ${missing.join(", ")} to be Ready`;
    if (line !== said) tell(line);
    said = line;
    const isOver = performance.now() >= end;
    if (isOver || performance.now() - lastLook > 5000) {
      lastLook = performance.now();
      const trouble = await troubleOf(context, missing, isOver);
      if (trouble !== "") throw new DaemonError(`${missing.join(", ")}: not Ready\n${trouble}`);
    }
    await sleep(300);
  }
}

/** Pods are refused until the controller-manager has made the namespace's service account. */
export async function waitForServiceAccount(path: string): Promise<void> {
  const kube = join(BIN_DIRECTORY, "kube");
  const flags = ["--for=create", "serviceaccount/default", "--timeout=60s"];
  await run([kube, "kubectl", "--kubeconfig", path, "wait", ...flags]);
}

async function readyNodes(path: string): Promise<Set<string>> {
  const template =
    '{range .items[*]}{.metadata.name}={.status.conditions[?(@.type=="Ready")].status}{"\\n"}{end}';
  const kube = join(BIN_DIRECTORY, "kube");
  const output = await run([
    kube,
    "kubectl",
    "--kubeconfig",
    path,
    "get",
    "nodes",
    "-o",
    `jsonpath=${template}`,
  ]);
  return new Set(
    output
      .split("\n")
      .filter((line) => line.endsWith("=True"))
      .map((line) => line.slice(0, -"=True".length)),
  );
}

/** The ends of the logs of nodes where a program ended; of all programs when `isOver`. */
async function troubleOf(context: NodeContext, names: readonly string[], isOver: boolean): Promise<string> {
  const script = names.map((name) => {
    const log = `${context.carrier.directory}/${name}/log`;
    const condition = isOver ? "true" : `[ -s ${log}/ended ] || [ -s ${log}/init.log ]`;
    return `if ${condition}; then tail -n 15 ${log}/*.log ${log}/ended 2>/dev/null || true; fi`;
  });
  return (await context.carrier.script(script.join("\n"))).trim();
}
