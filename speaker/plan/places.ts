/**
 * Which nodes may attract an address, and on which links this node would announce it. This is the same for all
 * addresses of a pool that lie in the same networks, so it is worked out once for all of them. Pure.
 */
import { LABEL_EXCLUDE_NODE } from "#api/names.ts";
import { hasLabels, selectsAny } from "#common/kube/selector.ts";
import { handsOver } from "../known/departure.ts";
import { linksFor } from "../known/links.ts";
import type { ClusterView, NodeView, PoolView, SpeakerState } from "../known/view.ts";
import { Networks } from "./networks.ts";
import { sameItems } from "./sorted-keys.ts";

/** Where addresses may be attracted. It is the same object as before while nothing in it changes. */
export interface Place {
  readonly pool: string;
  readonly isAdvertised: boolean;
  /**
   * Layer 2: nodes that may attract the addresses. BGP: nodes that all attract them. In the order of the live nodes.
   */
  readonly candidates: readonly string[];
  /**
   * Layer 2: nodes that hand their addresses over, because they go away. They attract what no candidate may. Empty where
   * there are no other nodes, so that these are the candidates.
   */
  readonly reserve: readonly string[];
  /** Layer 2: links of this node to announce on. */
  readonly links: readonly string[];
  /**
   * Layer 2: an address stays with the candidate that claims it. Only where all candidates hear claims: those that do
   * not, as speakers of an older release, follow the election alone, and all have to find the same owner.
   */
  readonly isSticky: boolean;
}

type Surroundings = Pick<ClusterView, "node" | "loadBalancer" | "nodes" | "pools" | "members">;

/** Links by what they depend on. Kept as long as a speaker's state is the same object. */
const LINKS = new WeakMap<SpeakerState, Map<string, readonly string[]>>();
const MAX_LINKS = 1_000;
const NONE: readonly string[] = [];

export class Places {
  readonly #view: Surroundings;
  /** Nodes that are alive, selected, not excluded, and ready. */
  readonly #able: readonly string[];
  readonly #networks: Networks;
  readonly #places = new Map<string, Place>();
  readonly #before: ReadonlyMap<string, Place>;

  constructor(view: Surroundings, before?: Places) {
    this.#view = view;
    this.#before = before === undefined ? new Map() : before.#places;
    const { live, states } = view.members;
    this.#able = live.filter((name) => {
      const labels = view.nodes.get(name)?.labels;
      if (labels === undefined) return false;
      const isExcluded = labels[LABEL_EXCLUDE_NODE] !== undefined;
      if (isExcluded && view.loadBalancer.ignoresExcludeLabel !== true) return false;
      return hasLabels(labels, view.loadBalancer.nodeSelector) && states.get(name)?.isReady === true;
    });
    const isSame =
      before !== undefined && sameItems([...states.values()], [...before.#view.members.states.values()]);
    this.#networks = isSame ? before.#networks : new Networks(states.values());
  }

  /** Undefined for an address that is in no pool. */
  of(vip: string): Place | undefined {
    const pool = this.#view.pools.of(vip);
    if (pool === undefined) return undefined;
    const key = keyOf(pool, vip, this.#networks);
    let place = this.#places.get(key);
    if (place === undefined) {
      place = this.#place(vip, pool);
      const before = this.#before.get(key);
      if (before !== undefined && isSamePlace(before, place)) place = before;
      this.#places.set(key, place);
    }
    return place;
  }

  /** Pools (layer 2) that name links of which this node, though selected, has none. */
  poolsWithoutLink(): string[] {
    const { node, nodes, members, pools } = this.#view;
    const own = nodes.get(node);
    const state = members.states.get(node);
    if (own === undefined || state === undefined) return [];
    return pools
      .list()
      .filter(({ protocol, nodeSelectors }) => protocol === "layer2" && selectsAny(nodeSelectors, own.labels))
      .filter(({ interfaces }) =>
        interfaces.length === 0
          ? state.links.length === 0
          : !state.links.some(({ name }) => interfaces.includes(name)),
      )
      .map(({ name }) => name)
      .sort();
  }

  #place(vip: string, pool: PoolView): Place {
    const { node, nodes } = this.#view;
    const isAdvertised = pool.protocol === "bgp";
    const all = this.#able.filter((name) => {
      const candidate = nodes.get(name);
      if (candidate === undefined || !selectsAny(pool.nodeSelectors, candidate.labels)) return false;
      return isAdvertised || this.#linksOf(candidate, vip, pool).length > 0;
    });
    const own = nodes.get(node);
    const links = isAdvertised || own === undefined ? NONE : this.#linksOf(own, vip, pool);
    const { members, loadBalancer } = this.#view;
    const reserve = isAdvertised ? NONE : all.filter((name) => this.#handsOver(name));
    const isAllReserve = reserve.length === all.length;
    const candidates = isAllReserve ? all : all.filter((name) => !reserve.includes(name));
    const hearClaims = all.every((name) => members.states.get(name)?.hearsClaims === true);
    const isSticky = !isAdvertised && loadBalancer.keepsOwners && hearClaims;
    return {
      pool: pool.name,
      isAdvertised,
      candidates,
      reserve: isAllReserve ? NONE : reserve,
      links,
      isSticky,
    };
  }

  #handsOver(name: string): boolean {
    const node = this.#view.nodes.get(name);
    return node !== undefined && handsOver(node, this.#view.loadBalancer);
  }

  #linksOf({ name, addresses }: NodeView, vip: string, pool: PoolView): readonly string[] {
    const state = this.#view.members.states.get(name);
    if (state === undefined) return NONE;
    const own = Object.values(addresses);
    const key = JSON.stringify([pool.interfaces, own, this.#networks.keyOf(vip)]);
    const known = LINKS.get(state) ?? new Map<string, readonly string[]>();
    LINKS.set(state, known);
    let links = known.get(key);
    if (links === undefined) {
      links = linksFor(vip, pool, state, own);
      if (known.size >= MAX_LINKS) known.clear();
      known.set(key, links);
    }
    return links;
  }
}

/**
 * What an address's place depends on beside its pool. Where links do not matter, or the pool names them, it is nothing.
 */
function keyOf({ name, protocol, interfaces }: PoolView, vip: string, networks: Networks): string {
  return protocol === "bgp" || interfaces.length > 0 ? name : `${name} ${networks.keyOf(vip)}`;
}

function isSamePlace(a: Place, b: Place): boolean {
  return (
    a.pool === b.pool &&
    a.isAdvertised === b.isAdvertised &&
    a.isSticky === b.isSticky &&
    sameItems(a.candidates, b.candidates) &&
    sameItems(a.reserve, b.reserve) &&
    sameItems(a.links, b.links)
  );
}
