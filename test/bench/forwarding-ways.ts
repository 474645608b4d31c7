/** The ways of forwarding that are measured, and where each of them is: namespaces, addresses. */
import type { Family } from "#api/address.ts";
import { type HopNamespaces, type Hops, hopNamespaces, hopsOf, POD_PORT, PORT } from "./forwarding-hops.ts";

export interface Way {
  readonly name: string;
  /** direct: client, pod; near: client, node, pod; far: client, node, other node, pod. */
  readonly shape: "direct" | "near" | "far";
  /** The pod's own address is asked, and not one that is to be translated. */
  readonly isPlain: boolean;
  readonly needsIpvs: boolean;
  readonly meaning: string;
}

export const WAYS: readonly Way[] = [
  {
    name: "direct",
    ...{ shape: "direct", isPlain: true, needsIpvs: false },
    meaning: "client and pod at the two ends of a veth pair, no node between",
  },
  {
    name: "routed",
    ...{ shape: "near", isPlain: true, needsIpvs: false },
    meaning: "the node routes to its pod; no rule anywhere",
  },
  {
    name: "tracked",
    ...{ shape: "near", isPlain: true, needsIpvs: false },
    meaning: "the same, and the node follows connections, as any node with kube-proxy does",
  },
  {
    name: "dnat",
    ...{ shape: "near", isPlain: false, needsIpvs: false },
    meaning: "nftables DNAT to a local pod, in chains like kube-proxy's",
  },
  {
    name: "ipvs",
    ...{ shape: "near", isPlain: false, needsIpvs: true },
    meaning: "IPVS alone: a service by address, `rr`, masquerade, connections not followed",
  },
  {
    name: "genkan",
    ...{ shape: "near", isPlain: false, needsIpvs: true },
    meaning: "what Genkan writes for a local pod",
  },
  {
    name: "routed-far",
    ...{ shape: "far", isPlain: true, needsIpvs: false },
    meaning: "routed over two nodes; the reply leaves the second one for the client; no rule anywhere",
  },
  {
    name: "dnat-far",
    ...{ shape: "far", isPlain: false, needsIpvs: false },
    meaning: "nftables DNAT to another node's pod, with masquerade: the reply comes back over both nodes",
  },
  {
    name: "genkan-far",
    ...{ shape: "far", isPlain: false, needsIpvs: true },
    meaning:
      "what Genkan writes for another node's pod: tunnel, tier 2, the reply leaves the second node for the client",
  },
];

/** What a way is compared with: the same hops without rules. */
export function baseOf(way: Way): string {
  return way.shape === "far" ? "routed-far" : "routed";
}

export interface Namespaces extends HopNamespaces {
  readonly pod: string;
}

export const namespacesOf = (prefix: string, { name }: Way): Namespaces => ({
  ...hopNamespaces(prefix, name),
  pod: `${prefix}-${name}-pod`,
});

export interface Addresses extends Hops {
  readonly pod: string;
  /** The vip, or the pod where the way is plain. */
  readonly target: string;
  readonly port: number;
}

export function addressesOf(way: Way, family: Family): Addresses {
  const number = 1 + WAYS.indexOf(way);
  const at = (net: number, host: number): string =>
    family === "IPv4" ? `10.${70 + net}.${number}.${host}` : `fd${70 + net}:${number}::${host}`;
  const hops = hopsOf(at, family === "IPv4" ? 24 : 64);
  // At a pair's other end.
  const pod = way.shape === "direct" ? hops.node : at(3, 10);
  const [target, port] = way.isPlain ? [pod, POD_PORT] : [hops.vip, PORT];
  return { ...hops, pod, target, port };
}
