/** The ways of forwarding that are measured, and where each of them is: namespaces, addresses. */
import type { Family } from "#api/address.ts";

/** Of the Service's address, and of the pod. */
export const PORT = 80;
export const POD_PORT = 8080;

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

/** Names of a way's namespaces, below one prefix; the client is in all ways the same. */
export interface Namespaces {
  readonly client: string;
  readonly node: string;
  /** The pod's own node, where that is another one. */
  readonly other: string;
  readonly pod: string;
}

export function namespacesOf(prefix: string, { name }: Way): Namespaces {
  return {
    client: `${prefix}-client`,
    node: `${prefix}-${name}`,
    other: `${prefix}-${name}-other`,
    pod: `${prefix}-${name}-pod`,
  };
}

/** Both ends of every link, by the link; and who is asked. */
export interface Addresses {
  readonly prefixLength: number;
  readonly client: string;
  readonly node: string;
  readonly nodeToOther: string;
  readonly otherToNode: string;
  readonly otherToClient: string;
  readonly clientToOther: string;
  readonly gateway: string;
  readonly pod: string;
  readonly vip: string;
  /** The vip, or the pod where the way is plain. */
  readonly target: string;
  readonly port: number;
}

export function addressesOf(way: Way, family: Family): Addresses {
  const number = 1 + WAYS.indexOf(way);
  const at = (net: number, host: number): string =>
    family === "IPv4" ? `10.${net}.${number}.${host}` : `fd${net}:${number}::${host}`;
  // At a pair's other end.
  const pod = way.shape === "direct" ? at(70, 1) : at(73, 10);
  const vip = at(74, 1);
  return {
    prefixLength: family === "IPv4" ? 24 : 64,
    client: at(70, 2),
    node: at(70, 1),
    nodeToOther: at(71, 1),
    otherToNode: at(71, 2),
    otherToClient: at(72, 1),
    clientToOther: at(72, 2),
    gateway: at(73, 1),
    pod,
    vip,
    target: way.isPlain ? pod : vip,
    port: way.isPlain ? POD_PORT : PORT,
  };
}
