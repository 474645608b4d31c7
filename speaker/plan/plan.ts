/**
 * View -> who attracts which address, and what this node forwards. A Planner keeps what it made and looks again only at
 * what changed. The result equals that of a new Planner (property test). There are two steps, because a node's death
 * moves addresses and also changes the weights of a hundred thousand endpoints: the first step, `attract`, does not
 * wait for the second.
 */
import type { Range } from "#api/address.ts";
import type { ForwardedPort } from "../forwarding/types.ts";
import type { TakersView } from "../known/takers.ts";
import { ALL_WELL, type ClusterView, type DrainView, type HealthView, NONE_DRAINED } from "../known/view.ts";
import { Addresses, type AddressPlan } from "./addresses.ts";
import { type CheckedEndpoint, Checks } from "./checks.ts";
import type { LeftOut } from "./claims.ts";
import { Draining, type DrainingEndpoint } from "./draining.ts";
import type { ServiceEndpoints } from "./endpoints.ts";
import { GivenAddresses } from "./given.ts";
import { Ports } from "./ports.ts";
import { routedRanges, tunnelSources } from "./reach.ts";
import { type ServiceChanges, Services } from "./services.ts";
import { sortedValues } from "./sorted-keys.ts";
import { type Surroundings, surroundingsOf } from "./surroundings.ts";
import { TakenPorts } from "./taken.ts";
import { otherwiseReached, stationsOf } from "./tunnels.ts";

/** Which node attracts which address. Lists are the same objects as before while nothing in them changes. */
export interface AttractionPlan {
  readonly addresses: readonly AddressPlan[];
  /** Every address given to Services, sorted. */
  readonly vips: readonly string[];
  /** Layer 2 pools that ask for links of this node which it does not have. */
  readonly poolsWithoutLink: readonly string[];
}

/** What is forwarded. */
export interface PortPlan {
  readonly ports: readonly ForwardedPort[];
  /** What Services ask for and is not done, and why. */
  readonly leftOut: readonly LeftOut[];
  /** Pods reached with source address translation. */
  readonly translated: number;
  /** Addresses from which nodes send what they tunnel. */
  readonly members: readonly string[];
  /** Ranges that routers send here. */
  readonly routed: readonly Range[];
  /** Hardware addresses of other nodes' links, where nodes hand packets on as they are. */
  readonly stations?: readonly string[];
  /** Nodes whose pods are reached by ipip, though the LoadBalancer asks for something else. */
  readonly otherwiseReached: readonly string[];
  /** What this node checks. */
  readonly checks: readonly CheckedEndpoint[];
  /** Endpoints that end, of Services that give them a time for it. */
  readonly draining: readonly DrainingEndpoint[];
}

export interface Plan extends AttractionPlan, PortPlan {}

export const NOTHING_ATTRACTED: AttractionPlan = { addresses: [], vips: [], poolsWithoutLink: [] };
export const NOTHING_FORWARDED: PortPlan = {
  ports: [],
  leftOut: [],
  translated: 0,
  members: [],
  routed: [],
  otherwiseReached: [],
  checks: [],
  draining: [],
};

export class Planner {
  readonly #piece: number;
  #state: PlanState;

  /** `piece`: Services that are looked at in one go, less than a millisecond's work; only tests ask for another number. */
  constructor(piece = 100) {
    this.#piece = piece;
    this.#state = new PlanState(piece);
  }

  /** Both steps. */
  plan(view: ClusterView): Plan {
    return { ...this.attract(view), ...this.forward() };
  }

  /** The first step. If it throws, all that was kept is forgotten, and the next view is planned from nothing. */
  attract(view: ClusterView): AttractionPlan {
    return this.#orForget((state) => state.attract(view));
  }

  /** The second step, for the view of the last `attract`. */
  forward(): PortPlan {
    return this.#orForget((state) => {
      const steps = state.forward();
      for (;;) {
        const { done, value } = steps.next();
        if (done === true) return value;
      }
    });
  }

  /**
   * The same, with a call of `breathe` after each small piece of work. Undefined: `isDue` said after one that something else
   * is more urgent; the next second step goes on from there. No other step may begin before this one has ended.
   */
  async forwardInSlices(
    breathe: () => Promise<void>,
    isDue = (): boolean => false,
  ): Promise<PortPlan | undefined> {
    const state = this.#state;
    this.#state = new PlanState(this.#piece);
    const steps = state.forward();
    for (let step = steps.next(); ; step = steps.next()) {
      if (step.done !== true) await breathe();
      if (step.done !== true && !isDue()) continue;
      this.#state = state;
      return step.value;
    }
  }

  #orForget<T>(step: (state: PlanState) => T): T {
    const state = this.#state;
    this.#state = new PlanState(this.#piece);
    const made = step(state);
    this.#state = state;
    return made;
  }
}

/** What is of no Service. */
type Reach = Pick<PortPlan, "members" | "routed" | "stations" | "otherwiseReached">;

class PlanState {
  readonly #services = new Services();
  readonly #given = new GivenAddresses();
  readonly #addresses = new Addresses();
  readonly #ports: Ports;
  #surroundings: Surroundings | undefined;
  #reach: (Reach & { readonly of: Surroundings }) | undefined;
  /** Services that changed since the last `forward`, with their state at that time. */
  #changes = new Map<string, ServiceEndpoints | undefined>();
  /** Services of which an address came to be ours, or stopped being so, since then. */
  #affected = new Set<string>();
  readonly #checks: Checks;
  readonly #draining = new Draining();
  readonly #taken = new TakenPorts();
  #takers: TakersView | undefined;
  #health: HealthView = ALL_WELL;
  #drains: DrainView = NONE_DRAINED;
  /** Services of which an endpoint has had its time, or has it anew, since the last `forward`. */
  #drained = new Set<string>();
  /** Ids of ports of which an endpoint may be otherwise checked than at the last `forward`. */
  #checkedIds = new Set<number>();
  /** What is left of a `forward` that was not gone on with. */
  #begun: Generator<undefined, PortPlan> | undefined;

  constructor(piece: number) {
    this.#ports = new Ports(piece);
    this.#checks = new Checks(piece);
  }

  attract(view: ClusterView): AttractionPlan {
    const surroundings = surroundingsOf(view, this.#surroundings);
    this.#surroundings = surroundings;
    this.#health = view.health;
    this.#takers = view.takers;
    for (const id of view.health.changed) this.#checkedIds.add(id);
    this.#drains = view.drains ?? NONE_DRAINED;
    for (const key of this.#drains.changed) this.#drained.add(key);
    const services = this.#services;
    const changes = services.update(view, surroundings.broadcasts);
    const { vips, affected } = this.#given.update(changes, services, surroundings.rules);
    for (const [key, before] of changes) if (!this.#changes.has(key)) this.#changes.set(key, before);
    for (const key of affected) this.#affected.add(key);
    const { places, poolsWithoutLink } = surroundings;
    this.#addresses.update({
      node: view.node,
      services,
      given: this.#given,
      changed: vips,
      places,
      claims: view.claims,
    });
    return { addresses: this.#addresses.list, vips: this.#addresses.vips, poolsWithoutLink };
  }

  /**
   * Whoever does not go on with it calls it again, then or after other views: it comes to its end first, and then what
   * changed since is planned. Views meanwhile do no harm: all that is looked at late is looked at in its newest state.
   */
  *forward(): Generator<undefined, PortPlan> {
    if (this.#begun !== undefined) yield* this.#begun;
    this.#begun = this.#forward();
    const plan = yield* this.#begun;
    this.#begun = undefined;
    return plan;
  }

  *#forward(): Generator<undefined, PortPlan> {
    if (this.#surroundings === undefined) return NOTHING_FORWARDED;
    const { context, view } = this.#surroundings;
    const { of: _, ...reach } = this.#reachOf(this.#surroundings);
    const [services, given] = [this.#services, this.#given];
    const checks = this.#checks;
    const { changes, affected, checkedIds, drained } = this.#take();
    yield* checks.update(changes, services, view.node);
    this.#draining.update(changes, services);
    yield* this.#ports.update({
      ...{ changes, affected, services, given, context },
      isFailing: (place, node) => this.#health.isFailing(place, node),
      isOver: (service, address) => this.#drains.isOver(service, address),
      checked: new Set([...[...checkedIds].flatMap((id) => [...checks.servicesOf(id)]), ...drained]),
    });
    const isForwarding = view.loadBalancer.mode === "IPVS";
    return {
      ports: isForwarding ? this.#ports.list : NOTHING_FORWARDED.ports,
      translated: isForwarding ? this.#ports.translated : 0,
      leftOut: [
        ...[services.unusable, given.foreign].flatMap(sortedValues),
        ...this.#ports.leftOut,
        ...(isForwarding ? this.#taken.leftOut(this.#takers, this.#ports.holding) : []),
        ...(isForwarding ? checks.leftOut : []),
      ],
      ...reach,
      // Where kube-proxy forwards, nothing could be done about what they find.
      checks: isForwarding ? checks.list : NOTHING_FORWARDED.checks,
      draining: isForwarding ? this.#draining.list : NOTHING_FORWARDED.draining,
    };
  }

  /** What changed since the last call. */
  #take(): {
    readonly changes: ServiceChanges;
    readonly affected: ReadonlySet<string>;
    readonly checkedIds: ReadonlySet<number>;
    readonly drained: ReadonlySet<string>;
  } {
    const taken = {
      ...{ changes: this.#changes, affected: this.#affected },
      ...{ checkedIds: this.#checkedIds, drained: this.#drained },
    };
    this.#changes = new Map();
    this.#affected = new Set();
    this.#checkedIds = new Set();
    this.#drained = new Set();
    return taken;
  }

  #reachOf(of: Surroundings): Reach & { readonly of: Surroundings } {
    if (this.#reach?.of === of) return this.#reach;
    const { node, members, pools } = of.view;
    const own = members.states.get(node);
    const routed = own === undefined ? [] : routedRanges(pools.list(), own);
    const stations = of.view.loadBalancer.tunnel === "none" ? { stations: stationsOf(of.view) } : {};
    this.#reach = {
      ...{ of, members: tunnelSources(of.view), routed, ...stations },
      otherwiseReached: otherwiseReached(of.view),
    };
    return this.#reach;
  }
}
