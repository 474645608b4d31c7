/** A cluster of three nodes with as many Services of ten pods each as is asked for, as a speaker's stores hold it. */
import { Pools } from "#speaker/known/pools.ts";
import {
  ALL_WELL,
  type ClusterView,
  NO_CLAIMS,
  type PoolView,
  type ServiceView,
  type SliceView,
} from "#speaker/known/view.ts";
import { NAMES, node, service, slice, state } from "#test/fakes/speaker-view.ts";

const POOL: PoolView = {
  name: "office",
  addresses: ["10.200.0.0/16"],
  protocol: "layer2",
  nodeSelectors: [],
  interfaces: [],
  advertisements: [],
};

const LOADBALANCER: ClusterView["loadBalancer"] = {
  generation: 1,
  isDeleting: false,
  nodeSelector: {},
  mode: "IPVS",
  scheduler: "mh",
  connectionSync: false,
  addressConflict: "defend",
  keepsOwners: true,
  drain: "Cordon",
  drainTaints: [],
  gossipPort: 7474,
};

export class ScaleWorld {
  readonly #services = new Map<string, ServiceView>();
  readonly #nodes = new Map(NAMES.map((name) => [name, node(name)]));
  readonly #states = new Map(NAMES.map((name) => [name, state(name)]));
  #changed = new Set<string>();
  readonly #slices = new Map<string, readonly SliceView[]>();
  readonly #endpoints: number;
  readonly #hosts: readonly string[];
  readonly #pools = new Pools([POOL]);

  /** `hosts`: the nodes that have the pods. */
  constructor(services: number, endpoints: number, hosts: readonly string[] = NAMES) {
    this.#endpoints = endpoints;
    this.#hosts = hosts;
    for (let at = 0; at < services; at += 1) {
      const key = `default/s${at}`;
      this.#services.set(
        key,
        service({
          key,
          uid: `u${at}`,
          vips: [`10.200.${at >> 8}.${at & 255}`],
          ids: { "IPv4/TCP/80": at + 1 },
        }),
      );
      this.#slices.set(key, [this.#slice(at)]);
    }
  }

  /** Its first pod is ready, or is not. */
  setReady(at: number, isReady: boolean): void {
    const key = `default/s${at}`;
    this.#slices.set(key, [this.#slice(at, isReady)]);
    this.#changed.add(key);
  }

  /** With what changed since the last one: for one Planner. */
  view(): ClusterView {
    const changed = this.#changed;
    this.#changed = new Set();
    return {
      node: "n1",
      loadBalancer: LOADBALANCER,
      nodes: this.#nodes,
      pools: this.#pools,
      services: this.#services,
      changed,
      slicesOf: (key) => this.#slices.get(key) ?? [],
      members: { live: NAMES, dead: [], states: this.#states },
      claims: NO_CLAIMS,
      health: ALL_WELL,
    };
  }

  /** Pods of Services are others each; with 10 each, 4 of a Service are on this node. */
  #slice(at: number, isReady = true): SliceView {
    const endpoints = Array.from({ length: this.#endpoints }, (_, index) => {
      const number = at * this.#endpoints + index;
      return {
        address: `10.${100 + (number >> 16)}.${(number >> 8) & 255}.${number & 255}`,
        node: this.#hosts[index % this.#hosts.length] ?? "",
        isReady: isReady || index > 0,
        isServing: isReady || index > 0,
        isTerminating: false,
      };
    });
    return slice(endpoints, { service: `default/s${at}` });
  }
}
