/**
 * Whom a speaker gossips with: the nodes that the LoadBalancer selects, each at its own address of the family that this
 * node has first. The API says who is where; a member at another place is believed nothing. Pure.
 */
import { hasLabels } from "#common/kube/selector.ts";
import type { Peer } from "../gossip/types.ts";
import type { LoadBalancerView, NodeView } from "./view.ts";

export interface RosterInput {
  readonly node: string;
  readonly nodes: Iterable<readonly [string, NodeView]>;
  readonly loadBalancer: Pick<LoadBalancerView, "nodeSelector" | "gossipPort">;
  readonly keys: readonly Uint8Array[] | undefined;
}

export type FoundRoster =
  | { readonly own: Peer; readonly peers: readonly Peer[]; readonly keys: readonly Uint8Array[] }
  | { readonly why: string };

export function rosterOf({ node, nodes, loadBalancer, keys }: RosterInput): FoundRoster {
  if (keys === undefined)
    return { why: "the Secret with the keys of gossip is not there, or cannot be used" };
  const { nodeSelector, gossipPort: port } = loadBalancer;
  const all = [...nodes].map(([, view]) => view);
  const addresses = all.find(({ name }) => name === node)?.addresses;
  const family = addresses?.IPv4 === undefined ? "IPv6" : "IPv4";
  const ownAddress = addresses?.[family];
  if (ownAddress === undefined) return { why: "the Node object has no internal address" };
  const peers = all
    .filter(({ name, labels }) => name !== node && hasLabels(labels, nodeSelector))
    .flatMap(({ name, addresses: { [family]: address } }) =>
      address === undefined ? [] : [{ name, address, port }],
    )
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  return { own: { name: node, address: ownAddress, port }, peers, keys };
}
