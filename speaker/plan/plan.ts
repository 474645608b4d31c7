/**
 * View -> what this node forwards and announces, and who owns what. A Planner keeps each Service's part while nothing
 * that it depends on changed; the result equals that of a new Planner (property test).
 */
import { LABEL_EXCLUDE_NODE } from "#api/names.ts";
import { hasLabels, selectsAny } from "#common/kube/selector.ts";
import type { ForwardedPort } from "../forwarding/types.ts";
import { broadcastsOf, linksFor } from "../known/links.ts";
import { attempt, type Unusable } from "../known/usable.ts";
import type { PoolView, SliceView, SpeakerState, View } from "../known/view.ts";
import { unusableEndpoints } from "../report/left-out.ts";
import { Claims, type LeftOut } from "./claims.ts";
import { elect } from "./elect.ts";
import { type EndpointContext, planService, type ServicePlan } from "./endpoints.ts";

/** Why nobody attracts an address. */
export type Unowned = "NoUsableEndpoint" | "NoCandidate";

/** One address given to Services. */
export interface AddressPlan {
  readonly vip: string;
  /** `namespace/name`, sorted; several share an address. */
  readonly services: readonly string[];
  readonly pool: string;
  /** Nodes that may attract the address (layer 2), or that all do (BGP). */
  readonly candidates: readonly string[];
  /** Layer 2 only. */
  readonly owner?: string;
  readonly unowned?: Unowned;
  /** Links of ours to announce on; empty on other nodes. */
  readonly links: readonly string[];
  /** This node advertises it by BGP. */
  readonly isAdvertised: boolean;
}

export interface Plan {
  readonly addresses: readonly AddressPlan[];
  readonly ports: readonly ForwardedPort[];
  /** Every address given to Services. */
  readonly vips: readonly string[];
  /** What is not done of what Services ask for, and why. */
  readonly leftOut: readonly LeftOut[];
  /** Pods reached with source address translation. */
  readonly translated: number;
  /** Pools (layer 2) for which this node, though asked to, has no link. */
  readonly poolsWithoutLink: readonly string[];
}

interface Kept {
  readonly slices: readonly SliceView[];
  readonly plan: ServicePlan;
}

interface KeptAddress {
  readonly sharing: readonly ServicePlan[];
  readonly plan: AddressPlan;
}

export class Planner {
  #kept = new Map<string, Kept>();
  #addresses = new Map<string, KeptAddress>();
  #speakersText = "";
  #context: EndpointContext | undefined;
  #contextText = "";

  plan(view: View): Plan {
    const context = this.#contextOf(view);
    const kept = new Map<string, Kept>();
    const byVip = new Map<string, ServicePlan[]>();
    const ofNodes = nodesByAddress(view);
    const unusable: Unusable[] = [];
    const { loadBalancerClass } = view.loadBalancer;
    for (const service of view.services) {
      if (service.loadBalancerClass !== loadBalancerClass) continue;
      const slices = view.slicesOf(service.key);
      const known = this.#kept.get(service.key);
      const isSame = known?.plan.service === service && sameItems(known.slices, slices);
      const entry = isSame
        ? known
        : attempt(unusable, service.key, () => ({ slices, plan: planService(service, slices, context) }));
      if (entry === undefined) continue;
      kept.set(service.key, entry);
      for (const vip of service.vips) {
        const sharing = byVip.get(vip);
        if (sharing === undefined) byVip.set(vip, [entry.plan]);
        else sharing.push(entry.plan);
      }
    }
    this.#kept = kept;
    const speakers = new Speakers(view);
    const leftOut: LeftOut[] = unusable.map(({ object, why }) => ({
      reason: "Unusable",
      message: `nothing is done for Service ${object}: ${why}`,
      services: [object],
    }));
    for (const [vip, plans] of byVip) {
      const why = notOurs(vip, plans, { node: ofNodes.get(vip), pool: view.pools.of(vip) });
      if (why === undefined) continue;
      byVip.delete(vip);
      leftOut.push(why);
    }
    const claims = new Claims(byVip);
    for (const { plan } of kept.values()) {
      claims.add(plan);
      const unusable = unusableEndpoints(plan);
      if (unusable !== undefined) leftOut.push(unusable);
    }
    const addresses = this.#planAddresses(byVip, speakers);
    return assemble(view, { kept, speakers, addresses, claims, leftOut: [...leftOut, ...claims.leftOut] });
  }

  #planAddresses(byVip: ReadonlyMap<string, readonly ServicePlan[]>, speakers: Speakers): AddressPlan[] {
    const text = speakers.fingerprint();
    const known = text === this.#speakersText ? this.#addresses : new Map<string, KeptAddress>();
    const addresses = new Map<string, KeptAddress>();
    for (const vip of [...byVip.keys()].sort()) {
      const sharing = byVip.get(vip) ?? [];
      const before = known.get(vip);
      const isSame = before !== undefined && sameItems(before.sharing, sharing);
      addresses.set(vip, isSame ? before : { sharing, plan: planAddress(vip, sharing, speakers) });
    }
    this.#addresses = addresses;
    this.#speakersText = text;
    return [...addresses.values()].map(({ plan }) => plan);
  }

  /** The same object as before while it says the same; another one makes all Services be planned anew. */
  #contextOf(view: View): EndpointContext {
    const { live, dead, states } = view.members;
    const forwarding = [...view.nodes.values()]
      .filter(
        ({ name, labels }) => hasLabels(labels, view.loadBalancer.nodeSelector) && states.get(name)?.isReady,
      )
      .map(({ name }) => name)
      .sort();
    const { scheduler } = view.loadBalancer;
    const broadcasts = broadcastsOf(states.get(view.node)?.links ?? []);
    const text = JSON.stringify([view.node, scheduler, forwarding, dead, live.length > 0, [...broadcasts]]);
    if (this.#context !== undefined && text === this.#contextText) return this.#context;
    this.#kept.clear();
    this.#contextText = text;
    this.#context = {
      node: view.node,
      scheduler,
      forwardingNodes: new Set(forwarding),
      deadNodes: new Set(dead),
      broadcasts,
    };
    return this.#context;
  }
}

function assemble(
  view: View,
  parts: {
    kept: ReadonlyMap<string, Kept>;
    speakers: Speakers;
    addresses: readonly AddressPlan[];
    claims: Claims;
    leftOut: readonly LeftOut[];
  },
): Plan {
  const { kept, speakers, addresses, claims, leftOut } = parts;
  const vips = addresses.map(({ vip }) => vip);
  const isForwarding = view.loadBalancer.mode === "IPVS";
  const ports: ForwardedPort[] = [];
  let translated = 0;
  for (const key of [...kept.keys()].sort()) {
    const plan = kept.get(key)?.plan;
    if (plan === undefined || !isForwarding) continue;
    ports.push(...claims.portsOf(plan));
    translated += plan.translated;
  }
  return {
    addresses,
    ports,
    vips,
    leftOut,
    translated,
    poolsWithoutLink: speakers.poolsWithoutLink(),
  };
}

function planAddress(vip: string, sharing: readonly ServicePlan[], speakers: Speakers): AddressPlan {
  const plans = [...sharing].sort((a, b) => (a.service.key < b.service.key ? -1 : 1));
  const services = plans.map(({ service }) => service.key);
  const pool = speakers.poolOf(vip);
  const family = vip.includes(":") ? "IPv6" : "IPv4";
  const base = { vip, services, pool: pool?.name ?? "", candidates: [], links: [], isAdvertised: false };
  if (pool === undefined) return { ...base, unowned: "NoCandidate" };
  if (plans.every(({ usableNodes }) => usableNodes[family].size === 0)) {
    return { ...base, unowned: "NoUsableEndpoint" };
  }
  // Local: a node attracts the address only with a usable pod of its own, of any Service that shares it.
  const isLocal = plans.every(({ service }) => service.isLocal);
  const candidates = speakers
    .candidates(vip, pool)
    .filter((node) => !isLocal || plans.some(({ usableNodes }) => usableNodes[family].has(node)));
  if (pool.protocol === "bgp" && candidates.length > 0) {
    return { ...base, candidates, isAdvertised: candidates.includes(speakers.node) };
  }
  const owner = elect({ vip, candidates });
  if (owner === undefined) return { ...base, unowned: "NoCandidate" };
  return {
    ...base,
    candidates,
    owner,
    links: owner === speakers.node ? speakers.links(vip, pool, owner) : [],
  };
}

/** Questions about nodes and their speakers, within one pass. */
class Speakers {
  readonly #view: View;
  /** Alive, selected, not excluded, ready. */
  readonly #able: readonly string[];

  constructor(view: View) {
    this.#view = view;
    this.#able = view.members.live.filter((name) => {
      const labels = view.nodes.get(name)?.labels;
      if (labels === undefined || labels[LABEL_EXCLUDE_NODE] !== undefined) return false;
      return (
        hasLabels(labels, view.loadBalancer.nodeSelector) && view.members.states.get(name)?.isReady === true
      );
    });
  }

  get node(): string {
    return this.#view.node;
  }

  /** Of everything that an address's plan takes from here: equal texts, equal answers. */
  fingerprint(): string {
    const { nodes, pools, members } = this.#view;
    return JSON.stringify([this.node, this.#able, [...nodes.values()], pools.text, [...members.states]]);
  }

  poolOf(vip: string): PoolView | undefined {
    return this.#view.pools.of(vip);
  }

  candidates(vip: string, pool: PoolView): string[] {
    return this.#able.filter((name) => {
      const labels = this.#view.nodes.get(name)?.labels ?? {};
      if (!selectsAny(pool.nodeSelectors, labels)) return false;
      return pool.protocol === "bgp" || this.links(vip, pool, name).length > 0;
    });
  }

  links(vip: string, pool: PoolView, node: string): string[] {
    const state = this.#view.members.states.get(node);
    if (state === undefined) return [];
    return linksFor(vip, pool, state, Object.values(this.#view.nodes.get(node)?.addresses ?? {}));
  }

  /** Pools that name links of which this node, though selected, has none. */
  poolsWithoutLink(): string[] {
    const own = this.#view.nodes.get(this.node);
    const state: SpeakerState | undefined = this.#view.members.states.get(this.node);
    if (own === undefined || state === undefined) return [];
    return this.#view.pools
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
}

/** Every address of every node, with the node's name. */
function nodesByAddress({ nodes }: View): Map<string, string> {
  return new Map([...nodes.values()].flatMap(({ name, own }) => own.map((address) => [address, name])));
}

/** Why an address of Services' status is none that this node does anything for; undefined if it is one of ours. */
function notOurs(
  vip: string,
  plans: readonly ServicePlan[],
  of: { node: string | undefined; pool: PoolView | undefined },
): LeftOut | undefined {
  const services = plans.map(({ service }) => service.key).sort();
  const what = `nothing is done for ${vip}, which the status of Service ${services.join(", ")} has: it is`;
  if (of.node !== undefined)
    return { reason: "NodeAddress", message: `${what} an address of node ${of.node}`, services };
  if (of.pool === undefined)
    return { reason: "NoPool", message: `${what} in no AddressPool that counts`, services };
  return undefined;
}

function sameItems<T>(a: readonly T[], b: readonly T[]): boolean {
  return a.length === b.length && a.every((item, at) => item === b[at]);
}
