/** What a client's requests pass on their way to the pods, and the addresses on each way. IPv4. */
import { type HopNamespaces, type Hops, hopNamespaces, hopsOf, POD_PORT, PORT } from "../forwarding-hops.ts";

export interface Way {
  readonly name: string;
  readonly balancer: "none" | "genkan" | "dnat" | "ipvs" | "nginx" | "haproxy";
  /** Where the pods are: on the balancer's node, on another node of its segment, or there behind an overlay. */
  readonly pods: "near" | "far" | "overlay";
  readonly meaning: string;
}

export const WAYS: readonly Way[] = [
  {
    ...{ name: "routed", balancer: "none", pods: "near" },
    meaning: "no balancer: the first pod's own address, and its node routes",
  },
  {
    ...{ name: "genkan", balancer: "genkan", pods: "near" },
    meaning: "what Genkan writes for pods of this node",
  },
  {
    ...{ name: "dnat", balancer: "dnat", pods: "near" },
    meaning: "chains like those of kube-proxy's mode nftables, policy Local",
  },
  {
    ...{ name: "ipvs", balancer: "ipvs", pods: "near" },
    meaning:
      "IPVS alone, `rr` and masquerade, as keepalived and the paper's controller write it; connections not followed",
  },
  { ...{ name: "haproxy", balancer: "haproxy", pods: "near" }, meaning: "haproxy, `mode tcp`" },
  { ...{ name: "nginx", balancer: "nginx", pods: "near" }, meaning: "nginx, module stream" },
  {
    ...{ name: "genkan-far", balancer: "genkan", pods: "far" },
    meaning: "what Genkan writes for another node's pods: a tunnel, and replies straight to the client",
  },
  {
    ...{ name: "dnat-far", balancer: "dnat", pods: "far" },
    meaning: "the same chains, policy Cluster with masquerade; nodes route (flannel's host-gw)",
  },
  { ...{ name: "nginx-far", balancer: "nginx", pods: "far" }, meaning: "nginx; nodes route" },
  {
    ...{ name: "dnat-overlay", balancer: "dnat", pods: "overlay" },
    meaning: "the chains; between the nodes VXLAN (flannel's vxlan)",
  },
  {
    ...{ name: "nginx-overlay", balancer: "nginx", pods: "overlay" },
    meaning: "nginx; between the nodes VXLAN",
  },
];

export interface Namespaces extends HopNamespaces {
  readonly pods: string;
}

export const namespacesOf = (prefix: string, { name }: Way): Namespaces => ({
  ...hopNamespaces(prefix, name),
  pods: `${prefix}-${name}-pods`,
});

export interface Addresses extends Hops {
  readonly nodeOverlay: string;
  readonly otherOverlay: string;
  /** All of a node's pods. */
  readonly podNet: string;
}

export const MOST_PODS = 40;
const FIRST_POD = 10;

export function addressesOf(way: Way): Addresses {
  const at = (net: number, host: number | string): string =>
    `10.${80 + net}.${1 + WAYS.indexOf(way)}.${host}`;
  return { ...hopsOf(at, 24), nodeOverlay: at(5, 1), otherOverlay: at(5, 2), podNet: at(3, "0/24") };
}

export function podsOf(way: Way, count: number): string[] {
  return Array.from({ length: count }, (_, at) => `10.83.${1 + WAYS.indexOf(way)}.${FIRST_POD + at}`);
}

/** Whom the client asks. */
export function urlOf(way: Way): string {
  const { vip } = addressesOf(way);
  return way.balancer === "none" ? `http://${podsOf(way, 1)[0]}:${POD_PORT}/` : `http://${vip}:${PORT}/`;
}
