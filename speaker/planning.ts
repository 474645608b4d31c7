/**
 * Makes what a pass has to make true: what is known -> view -> plans. Each is kept while what it is made of is the
 * same.
 */
import type { Clock } from "#common/clock.ts";
import type { Labels } from "#common/kube/selector.ts";
import { type BgpPlan, planBgp } from "./bgp/plan.ts";
import { Slices } from "./forwarding/slices.ts";
import type { ForwardingInput } from "./forwarding/types.ts";
import { FormerLinks } from "./known/former-links.ts";
import { MemberStates } from "./known/members.ts";
import { publishedLinks } from "./known/node-links.ts";
import type { ClusterView, LoadBalancerView, SpeakerState } from "./known/view.ts";
import { nodesOnLink } from "./known/ways.ts";
import type { Rules } from "./layer2/messages.ts";
import type { Checking, Claiming, Ending, Knowledge, Links, Members, Wanted } from "./parts.ts";
import type { AddressPlan } from "./plan/addresses.ts";
import {
  type AttractionPlan,
  NOTHING_ATTRACTED,
  NOTHING_FORWARDED,
  Planner,
  type PortPlan,
} from "./plan/plan.ts";
import { rulesFor } from "./plan/rules.ts";
import { isAlone, sharing } from "./plan/sharing.ts";
import { sameItems } from "./plan/sorted-keys.ts";
import type { Readiness } from "./readiness.ts";

export interface PlanningParts {
  /** Name of this node. */
  readonly node: string;
  readonly knowledge: Knowledge;
  readonly members: Pick<Members, "judgement" | "hearsClaims">;
  readonly owners: Pick<Claiming, "takeView">;
  readonly health: Pick<Checking, "takeView">;
  readonly drains: Pick<Ending, "takeView">;
  readonly monitor: Links;
  readonly clock: Pick<Clock, "now" | "sleep">;
}

export const NO_PEERS: BgpPlan = { sessions: new Map(), bfd: [], withheld: [] };
const NO_ADDRESSES: readonly AddressPlan[] = [];

export class Planning {
  readonly #parts: PlanningParts;
  readonly #memberStates = new MemberStates();
  readonly #formerLinks = new FormerLinks();
  #planner = new Planner();
  #rules: { readonly madeOf: readonly unknown[]; readonly rules: Rules } | undefined;
  #attraction = NOTHING_ATTRACTED;
  #ports = NOTHING_FORWARDED;
  #isAlone = true;
  /** The last pass did not come to what the kernel is to forward. */
  #gaveWay = false;
  #wanted: { readonly of: readonly AddressPlan[]; readonly links: Wanted } = {
    of: NO_ADDRESSES,
    links: new Map(),
  };
  readonly #peers = new PeerPlans();
  /** The same as #peers, but only with the addresses that the kernel was read back with. */
  readonly #forwardedPeers = new PeerPlans();

  constructor(parts: PlanningParts) {
    this.#parts = parts;
  }

  /** As of the last answer of `forwarding`: there is no other node to share connections with. */
  get isAlone(): boolean {
    return this.#isAlone;
  }

  get attraction(): AttractionPlan {
    return this.#attraction;
  }

  /** The last answer of `forwarding`. */
  get ports(): PortPlan {
    return this.#ports;
  }

  /** What this node publishes about itself for the other nodes. */
  ownState({ isReady, offered }: Pick<Readiness, "isReady" | "offered">): SpeakerState {
    const { knowledge, monitor, members } = this.#parts;
    const pools = knowledge.pools.current().list();
    const named = new Set(pools.flatMap(({ interfaces }) => interfaces));
    const links = publishedLinks(monitor.links(), named);
    return {
      ...{ isReady, links },
      ...(offered.length > 0 && { tunnels: offered }),
      ...(members.hearsClaims && { hearsClaims: true }),
    };
  }

  /** Looks at what is known, and plans which node attracts which address. Returns which stations are our nodes. */
  attract(loadBalancer: LoadBalancerView, own: SpeakerState): Rules {
    const { node, knowledge, members, owners, health, drains } = this.#parts;
    const nodes = new Map(knowledge.nodes.entries());
    const known = this.#memberStates.members(members.judgement, node, own);
    const view: ClusterView = {
      node,
      loadBalancer,
      nodes,
      pools: knowledge.pools.current(),
      services: knowledge.services,
      changed: knowledge.changed.take(),
      slicesOf: (service) => knowledge.slicesOf(service),
      members: known,
      ...(loadBalancer.tunnel === "none" && { onLink: this.#onLink(nodes, known) }),
      claims: owners.takeView(),
      takers: knowledge.takers,
      health: health.takeView(),
      drains: drains.takeView(),
    };
    this.#attraction = this.#planner.attract(view);
    return this.#rulesOf(view);
  }

  #onLink(nodes: ClusterView["nodes"], { states }: ClusterView["members"]): string[] {
    const { node, monitor } = this.#parts;
    const links = new Set(monitor.links().map(({ index }) => index));
    return nodesOnLink({ node, nodes, states, links }, monitor.waysTo);
  }

  /** Link -> addresses that this node has to announce there. */
  wanted(): Wanted {
    const { addresses } = this.#attraction;
    if (this.#wanted.of !== addresses) this.#wanted = { of: addresses, links: wantedOf(addresses) };
    return this.#wanted.links;
  }

  /**
   * The same, but only with addresses that are announced already. While this node is cut off, or the API server is
   * away, owners stay. A node whose link comes back must not announce addresses that others may have taken meanwhile.
   */
  stillWanted(held: Wanted): Wanted {
    const kept = [...this.wanted()].map(
      ([link, vips]) => [link, vips.intersection(held.get(link) ?? new Set<string>())] as const,
    );
    return new Map(kept.filter(([, vips]) => vips.size > 0));
  }

  /** What has to be advertised to BGP peers. If `forwarded` is given, only its addresses are, and those of kube-proxy. */
  peers(forwarded?: ReadonlySet<string>): BgpPlan {
    const { addresses } = this.#attraction;
    const { services } = this.#parts.knowledge;
    const isForwarded = ({ vip, isAdvertised, services: of }: AddressPlan): boolean =>
      !isAdvertised ||
      forwarded === undefined ||
      forwarded.has(vip) ||
      of.every((service) => services.get(service)?.isKept !== true);
    if (addresses.every(isForwarded)) return this.#peers.plan(addresses, this.#parts);
    return this.#forwardedPeers.plan(addresses.filter(isForwarded), this.#parts);
  }

  /**
   * Plans what the kernel is to forward. Undefined: another pass is due, and this one gave way to it. The next one goes on
   * from there, and does not give way here: so passes that are asked for without end come to the kernel every other time.
   */
  async forwarding(
    { connectionSync, tunnel, nodeSelector }: LoadBalancerView,
    isDue: () => boolean,
  ): Promise<ForwardingInput | undefined> {
    const { node, knowledge } = this.#parts;
    this.#gaveWay = !(await this.planPorts(this.#gaveWay ? undefined : isDue));
    if (this.#gaveWay) return undefined;
    const nodeAddresses = knowledge.nodes.get(node)?.addresses ?? {};
    const { ports, members, routed, stations } = this.#ports;
    const input = {
      ...{ nodeAddresses, ports, vips: this.#attraction.vips, members, routed },
      ...(tunnel !== undefined && { tunnel }),
      ...(stations !== undefined && { stations }),
    };
    this.#isAlone = isAlone(this.#parts, nodeSelector);
    return connectionSync && !this.#isAlone ? { ...input, ...sharing(this.#parts) } : input;
  }

  /** Also in mode KubeProxy, where it shows what is left out. False: it gave way, and what was planned before stays. */
  async planPorts(isDue?: () => boolean): Promise<boolean> {
    const slices = new Slices(this.#parts.clock);
    const ports = await this.#planner.forwardInSlices(() => slices.breathe(), isDue);
    if (ports !== undefined) this.#ports = ports;
    return ports !== undefined;
  }

  /** This node has nothing to do any more. The next view is planned from nothing. */
  forget(): void {
    this.#planner = new Planner();
    this.#attraction = NOTHING_ATTRACTED;
    this.#ports = NOTHING_FORWARDED;
  }

  /** Which stations are our nodes, and what is done about others. It is the same object while nothing in it changes. */
  #rulesOf(view: ClusterView): Rules {
    const links = this.#parts.monitor.links();
    const madeOf = [links, view.loadBalancer, ...view.members.states.values()];
    if (this.#rules === undefined || !sameItems(madeOf, this.#rules.madeOf)) {
      const states = this.#formerLinks.within(view.members.states);
      this.#rules = { madeOf, rules: rulesFor({ ...view, members: { ...view.members, states } }, links) };
    }
    return this.#rules.rules;
  }
}

/** Plans of peers, made anew when an address, a pool, a peer, a profile, a password or this node changed. */
class PeerPlans {
  #madeOf: readonly unknown[] = [];
  #plan = NO_PEERS;

  plan(addresses: readonly AddressPlan[], { node, knowledge }: PlanningParts): BgpPlan {
    const own = knowledge.nodes.get(node);
    const peers = knowledge.peers.list();
    if (own === undefined || peers.length === 0) return NO_PEERS;
    const advertised = addresses.filter(({ isAdvertised }) => isAdvertised);
    const pools = knowledge.pools.current();
    const profiles = knowledge.profiles.list();
    const passwords = peers.map(({ passwordSecret }) => passwordSecret && knowledge.password(passwordSecret));
    const labelsOf = (service: string): Labels | undefined => knowledge.services.get(service)?.labels;
    const labels = pools.selectServices ? advertised.flatMap(({ services }) => services.map(labelsOf)) : [];
    const madeOf = [own, pools, ...peers, ...profiles, ...passwords, ...advertised, ...labels];
    if (sameItems(madeOf, this.#madeOf)) return this.#plan;
    this.#madeOf = madeOf;
    this.#plan = planBgp({
      node: own,
      addresses: advertised,
      labelsOf,
      pools,
      peers,
      profiles: new Map(profiles.map((profile) => [profile.name, profile])),
      password: (secret) => knowledge.password(secret),
    });
    return this.#plan;
  }
}

/** Pure: link -> addresses that have to be announced there. */
export function wantedOf(addresses: readonly AddressPlan[]): Wanted {
  const wanted = new Map<string, Set<string>>();
  for (const { vip, links } of addresses) {
    for (const link of links) {
      const vips = wanted.get(link);
      if (vips === undefined) wanted.set(link, new Set([vip]));
      else vips.add(vip);
    }
  }
  return wanted;
}
