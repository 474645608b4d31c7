/**
 * What a plan takes from a view beside Services, in the form in which the plan asks for it. Each part stays the same
 * object from one view to the next while nothing in it changes, so that what depends on it is not planned again. Pure.
 */
import { hasLabels } from "#common/kube/selector.ts";
import { DEFAULT_TUNNEL } from "../forwarding/encapsulation.ts";
import { broadcastsOf } from "../known/links.ts";
import type { ClusterView } from "../known/view.ts";
import type { Broadcasts } from "./endpoints.ts";
import type { ForwardingContext } from "./forward.ts";
import type { OwnershipRules } from "./given.ts";
import { Places } from "./places.ts";
import { sameItems } from "./sorted-keys.ts";
import { tunnelNodes } from "./tunnels.ts";

export interface Surroundings {
  /** The view that this was made of. */
  readonly view: ClusterView;
  readonly places: Places;
  readonly context: ForwardingContext;
  readonly broadcasts: Broadcasts;
  readonly rules: OwnershipRules;
  /** Layer 2 pools that ask for links of this node which it does not have. */
  readonly poolsWithoutLink: readonly string[];
}

export function surroundingsOf(view: ClusterView, before: Surroundings | undefined): Surroundings {
  const isSameMap = sameMap(view.nodes, before?.view.nodes);
  const isSamePools = view.pools === before?.view.pools;
  if (before !== undefined && isSameMap && isSamePools && isSameRest(view, before.view)) return before;
  const context = contextOf(view);
  const places = new Places(view, before?.places);
  return {
    view,
    places,
    context: before !== undefined && isSameContext(before.context, context) ? before.context : context,
    broadcasts: broadcastsOf(view.members.states.get(view.node)?.links ?? []),
    rules: before !== undefined && isSameMap && isSamePools ? before.rules : rulesOf(view),
    poolsWithoutLink: places.poolsWithoutLink(),
  };
}

function isSameRest(a: ClusterView, b: ClusterView): boolean {
  return (
    a.node === b.node &&
    a.loadBalancer === b.loadBalancer &&
    sameItems(a.onLink ?? [], b.onLink ?? []) &&
    sameItems(a.members.live, b.members.live) &&
    sameItems(a.members.dead, b.members.dead) &&
    sameMap(a.members.states, b.members.states)
  );
}

function contextOf(view: ClusterView): ForwardingContext {
  const { node, loadBalancer, nodes, members } = view;
  const { nodeSelector, scheduler } = loadBalancer;
  const forwardingNodes = new Set<string>();
  for (const { name, labels } of nodes.values())
    if (members.states.get(name)?.isReady === true && hasLabels(labels, nodeSelector))
      forwardingNodes.add(name);
  const translates = loadBalancer.translates === true;
  const prefersLocal = loadBalancer.prefersLocal === true;
  return {
    ...{ node, scheduler, translates, prefersLocal, forwardingNodes },
    deadNodes: new Set(members.dead),
    tunnel: loadBalancer.tunnel ?? DEFAULT_TUNNEL,
    tunnelNodes: tunnelNodes(view),
  };
}

function isSameContext(a: ForwardingContext, b: ForwardingContext): boolean {
  return (
    a.node === b.node &&
    a.scheduler === b.scheduler &&
    a.translates === b.translates &&
    a.prefersLocal === b.prefersLocal &&
    a.tunnel === b.tunnel &&
    sameSet(a.tunnelNodes, b.tunnelNodes) &&
    sameSet(a.forwardingNodes, b.forwardingNodes) &&
    sameSet(a.deadNodes, b.deadNodes)
  );
}

function rulesOf({ nodes, pools }: ClusterView): OwnershipRules {
  const byAddress = new Map([...nodes.values()].flatMap(({ name, own }) => own.map((one) => [one, name])));
  return { nodeOf: (vip) => byAddress.get(vip), isInPool: (vip) => pools.of(vip) !== undefined };
}

const sameSet = (a: ReadonlySet<string>, b: ReadonlySet<string>): boolean =>
  a.size === b.size && a.isSubsetOf(b);

/** Whether both hold the same values. The order of the keys does not matter. */
function sameMap<K, V>(a: ReadonlyMap<K, V>, b: ReadonlyMap<K, V> | undefined): boolean {
  if (a === b) return true;
  if (b === undefined || a.size !== b.size) return false;
  for (const [key, value] of a) if (b.get(key) !== value) return false;
  return true;
}
