/**
 * What the worlds of both benchmarks of forwarding have in common: a client, a node, another node with a way of its own
 * back to the client, and the addresses at both ends of the links between them. What is behind the nodes is each world's
 * own. Pure.
 */
import { address, link } from "./forwarding-script.ts";

/** Of the Service's address, and of a pod. */
export const PORT = 80;
export const POD_PORT = 8080;

/** Network namespaces; the client is in all ways the same. */
export interface HopNamespaces {
  readonly client: string;
  readonly node: string;
  /** The node that has the pods, where that is another one. */
  readonly other: string;
}

export const hopNamespaces = (prefix: string, way: string): HopNamespaces => ({
  client: `${prefix}-client`,
  node: `${prefix}-${way}`,
  other: `${prefix}-${way}-other`,
});

export interface Hops {
  readonly prefixLength: number;
  readonly client: string;
  readonly node: string;
  readonly nodeToOther: string;
  readonly otherToNode: string;
  readonly otherToClient: string;
  readonly clientToOther: string;
  /** Of the pods. */
  readonly gateway: string;
  readonly vip: string;
}

/** `at`: an address in one of five networks: client's, between the nodes, back to the client, pods', Services'. */
export const hopsOf = (at: (net: number, host: number) => string, prefixLength: number): Hops => ({
  prefixLength,
  client: at(0, 2),
  node: at(0, 1),
  nodeToOther: at(1, 1),
  otherToNode: at(1, 2),
  otherToClient: at(2, 1),
  clientToOther: at(2, 2),
  gateway: at(3, 1),
  vip: at(4, 1),
});

/** `name`: of the client's end. */
export function linkToNode(at: HopNamespaces, name: string, all: readonly Hops[]): string[] {
  return [
    ...link([at.client, name], [at.node, "client"]),
    ...all.flatMap((to) => [
      ...address(at.client, name, to.client, to),
      ...address(at.node, "client", to.node, to),
    ]),
  ];
}

/** From node to node, and from the other node back to the client, whose end is `back`. */
export function linksOfOther(at: HopNamespaces, back: string, all: readonly Hops[]): string[] {
  return [
    ...link([at.node, "other"], [at.other, "node"]),
    ...link([at.other, "client"], [at.client, back]),
    ...all.flatMap((to) => [
      ...address(at.node, "other", to.nodeToOther, to),
      ...address(at.other, "node", to.otherToNode, to),
      ...address(at.other, "client", to.otherToClient, to),
      ...address(at.client, back, to.clientToOther, to),
    ]),
  ];
}
