/** A lab with Genkan and Services that pods answer for, as faults find it. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import { ROOT } from "#hack/demo/shell.ts";
import { layoutOf, netnsOf } from "#hack/lab/layout.ts";
import { kubeconfigOf } from "#hack/lab/members.ts";
import { Cluster, NAMESPACE } from "#test/e2e/installation.ts";
import { until } from "#test/until.ts";
import { LabRouter, NODES_ASN, ROUTER_ASN } from "#test/upstream/frr-router.ts";
import type { WatchOptions } from "./watch.ts";

/** Not the one of test/e2e: a lab of it may stand beside. */
const INSTANCE = 8;
export const NODES = ["node1", "node2", "node3"] as const;
const PATIENT = { deadlineMs: 180_000, everyMs: 1_000 };

export interface World {
  readonly cluster: Cluster;
  /** Of mode BGP: it spreads connections over the nodes. */
  readonly router?: LabRouter;
  readonly watch: WatchOptions;
  /** Node -> what it had of its own before Genkan. */
  readonly found: ReadonlyMap<string, string>;
}

const documents = (text: string): object[] =>
  parseAllDocuments(text)
    .map((document) => document.toJS() as object | null)
    .filter((document) => document !== null);

/** A Service of one family beside the demo's, so that addresses are on several nodes. */
const more = (name: string): object => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: { name, namespace: "default" },
  spec: { type: "LoadBalancer", selector: { app: "hello" }, ports: [{ port: 80, targetPort: 8080 }] },
});

/** Layer 2 by IPVS or kube-proxy, or BGP with IPVS. */
export const MODES = ["IPVS", "KubeProxy", "BGP"] as const;
type Mode = (typeof MODES)[number];

const BGP_POOL = "198.51.100.0/24";

/** The sessions die within 3 s, as the fault that they show has to be over in 10; without them no route may stay. */
const bgpObjects = (address: string): object[] => {
  const object = (kind: string, name: string, spec: object): object => ({
    ...{ apiVersion: "genkan.dev/v1beta1", kind, metadata: { name, namespace: NAMESPACE }, spec },
  });
  const session = { myASN: NODES_ASN, peerASN: ROUTER_ASN, peerAddress: address };
  const timers = { connectTime: "1s", holdTime: "3s", keepaliveTime: "1s" };
  return [
    object("AddressPool", "lab", { protocol: "bgp", addresses: [BGP_POOL] }),
    object("BGPPeer", "router", { ...session, ...timers }),
  ];
};

const isPool = (item: object): boolean => "kind" in item && item.kind === "AddressPool";
const isService = (item: object): item is { spec: object } => "kind" in item && item.kind === "Service";

/** Of one family, as the pool of mode BGP is. */
const ofOneFamily = (item: object): object =>
  isService(item) ? { ...item, spec: { ...item.spec, ipFamilyPolicy: "SingleStack" } } : item;

export async function bringUp(mode: Mode, tell: (line: string) => void): Promise<World> {
  // A lab that did not come up is taken down.
  await using started = new AsyncDisposableStack();
  const cluster = started.use(
    await Cluster.start(INSTANCE, ["--forwarding", mode === "KubeProxy" ? mode : "IPVS"]),
  );
  const layout = layoutOf(INSTANCE);
  const isBgp = mode === "BGP";
  const bgp = isBgp ? started.use(await LabRouter.start(layout, "ports")) : undefined;
  const found = new Map<string, string>();
  for (const node of NODES) found.set(node, await stateOf(cluster, node));
  tell("installing Genkan");
  const rendered = await cluster.kubectl(["kustomize", join(ROOT, "config/default")]);
  const echo = await readFile(join(ROOT, "hack/demo/echo.yaml"), "utf8");
  const items = [
    ...documents(rendered),
    ...(await cluster.samples()).filter((item) => !isBgp || !isPool(item)),
    ...(isBgp ? bgpObjects(layout.router.v4) : []),
    ...documents(echo).map((item) => (isBgp ? ofOneFamily(item) : item)),
    more("more1"),
    more("more2"),
  ];
  // What depends on a kind or on the webhook is refused until that is there.
  await until(
    "the API server to take everything",
    async () => {
      await cluster.apply({ apiVersion: "v1", kind: "List", items });
      return true;
    },
    PATIENT,
  );
  if (mode === "KubeProxy") {
    const patch = JSON.stringify({ spec: { forwarding: { mode } } });
    await cluster.kubectl([
      "patch",
      "loadbalancer",
      "loadbalancer",
      "-n",
      NAMESPACE,
      "--type=merge",
      "-p",
      patch,
    ]);
  }
  await cluster.available();
  const vips = await cluster.addresses("hello", isBgp ? 1 : 2);
  vips.push(...(await cluster.addresses("more1", 1)), ...(await cluster.addresses("more2", 1)));
  await cluster.kubectl(["rollout", "status", "deployment/hello", "--timeout=600s"]);
  await bgp?.peersWithAll(cluster, PATIENT);
  const [router, client] = [netnsOf(layout, "router"), netnsOf(layout, "client")];
  const watch = { vips, onWire: isBgp ? [] : vips, router, client, kubeconfig: kubeconfigOf(layout) };
  started.move();
  return { cluster, watch, found, ...(bgp !== undefined && { router: bgp }) };
}

/** Everything of ours is deleted as a user would; a line for each node on which something is left. */
export async function takeAway({ cluster, found }: World): Promise<string[]> {
  await cluster.kubectl(["delete", "service", "hello", "more1", "more2", "-n", "default", "--timeout=60s"]);
  const foreground = ["--cascade=foreground", "--timeout=180s"];
  await cluster.kubectl(["delete", "loadbalancer", "loadbalancer", "-n", NAMESPACE, ...foreground]);
  const left: string[] = [];
  for (const node of NODES) {
    const state = await stateOf(cluster, node);
    const before = new Set(found.get(node)?.split("\n"));
    const lines = state.split("\n").filter((line) => !before.has(line));
    if (lines.length > 0) left.push(`${node}: ${lines.join("; ")}`);
  }
  return left;
}

/** Rules, routes, IPVS and tables of a node, as far as they may be ours. */
function stateOf(cluster: Cluster, node: string): Promise<string> {
  const script =
    "ip rule; ip -6 rule; ip route show table 7077 2>/dev/null; ip -6 route show table 7077 2>/dev/null; " +
    "ipvsadm -Sn; nft list tables | grep -e genkan -e chaos; ip -o link | grep -o genkan[^:@]*; true";
  return cluster.on(node, ["sh", "-c", script]);
}
