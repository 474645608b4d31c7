/** To which nodes this one sends as the LoadBalancer asks, and to which it cannot. Pure. */
import type { ClusterView } from "../known/view.ts";

type Tunnelled = Pick<ClusterView, "node" | "loadBalancer" | "members" | "onLink">;

/**
 * A node takes gre and gue once its speaker says so, and packets as they are if it is on a link of this one. All others are
 * sent to by ipip, which every node takes, so a change of the LoadBalancer loses nothing while some have not heard of it.
 */
export function tunnelNodes({ node, loadBalancer, members, onLink = [] }: Tunnelled): Set<string> {
  const { tunnel } = loadBalancer;
  if (tunnel === undefined) return new Set();
  if (tunnel === "none") return new Set(onLink);
  const takes = [...members.states].filter(
    ([name, { tunnels = [] }]) => name !== node && tunnels.includes(tunnel),
  );
  return new Set(takes.map(([name]) => name));
}

/** Live nodes that pods are reached on by ipip though something else is asked for, sorted. */
export function otherwiseReached(view: Tunnelled): string[] {
  if (view.loadBalancer.tunnel === undefined) return [];
  const asAsked = tunnelNodes(view);
  const { live, states } = view.members;
  return live
    .filter((name) => name !== view.node && states.get(name)?.isReady === true && !asAsked.has(name))
    .sort();
}

/** Hardware addresses of the other nodes' links, sorted: 12 hexadecimal digits each. */
export function stationsOf({ node, members }: Tunnelled): string[] {
  const all = new Set<string>();
  for (const [name, { links }] of members.states) {
    if (name === node) continue;
    for (const { hardware = "" } of links) if (/^[0-9a-f]{12}$/.test(hardware)) all.add(hardware);
  }
  return [...all].sort();
}
