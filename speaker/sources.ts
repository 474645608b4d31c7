/** What the speaker knows of the cluster: stores kept equal to the API server's objects, each reduced to what is used. */
import { LOADBALANCER_NAME } from "#api/names.ts";
import type { Clock } from "#common/clock.ts";
import type { KubeClient } from "#common/kube/client.ts";
import { Reflector, type ReflectorCounts } from "#common/kube/reflector.ts";
import {
  addressPools,
  bfdProfiles,
  bgpPeers,
  endpointSlices,
  loadBalancers,
  nodes,
  type Resource,
  secrets,
  services,
} from "#common/kube/resource.ts";
import type { OnSetback } from "#common/kube/setbacks.ts";
import { type Index, Store } from "#common/kube/store.ts";
import type { KubeObject } from "#common/kube/wire.ts";
import type { Logger } from "#common/log.ts";
import type { Random } from "#common/random.ts";
import { AcceptedPeers, storedPeer } from "./acceptedpeers.ts";
import { AcceptedPools, storedPool } from "./acceptedpools.ts";
import type { Password } from "./password.ts";
import { projectLoadBalancer, projectNode, projectService, projectSlice } from "./project.ts";
import { projectPassword, projectProfile } from "./projectbgp.ts";
import type { Unusable } from "./usable.ts";
import type { LoadBalancerView, NodeView, ProfileView, ServiceView, SliceView } from "./view.ts";

export interface SourcesOptions {
  readonly client: KubeClient;
  readonly namespace: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly onSetback?: OnSetback;
  readonly onChange: () => void;
}

/** A reflector's health, for metrics. */
export interface SourceReport {
  readonly resource: string;
  readonly counts: ReflectorCounts;
  readonly lastContact: number;
}

interface Running {
  readonly resource: string;
  readonly reflector: {
    start(signal: AbortSignal): Promise<void>;
    hasSynced(): boolean;
    synced(): Promise<void>;
    lastContact(): number;
    counts(): ReflectorCounts;
    unreadable(): ReadonlyMap<string, string>;
  };
}

/** The install namespace holds other Secrets too, the webhook's key among them: they are none of a speaker's business. */
const PASSWORDS_ONLY = "type=kubernetes.io/basic-auth";

export class Sources {
  readonly services = new Store<ServiceView>();
  readonly nodes = new Store<NodeView>();
  readonly pools: AcceptedPools;
  readonly peers: AcceptedPeers;
  readonly profiles = new Store<ProfileView>();
  /** By `namespace/name` of the Secret. */
  readonly #passwords = new Store<Password>();
  readonly #slices = new Store<SliceView>();
  readonly #loadBalancers = new Store<LoadBalancerView>();
  readonly #slicesByService: Index<SliceView>;
  readonly #options: SourcesOptions;
  readonly #running: Running[];
  readonly #ofLoadBalancers: Running;
  #lastLoadBalancer: LoadBalancerView | undefined;

  constructor(options: SourcesOptions) {
    this.#options = options;
    this.peers = new AcceptedPeers(options.namespace);
    this.pools = new AcceptedPools(options);
    this.#slicesByService = this.#slices.addIndex(({ service }) => [service]);
    const { namespace } = options;
    this.#ofLoadBalancers = this.#reflect(loadBalancers, this.#loadBalancers, projectLoadBalancer, namespace);
    this.#running = [
      this.#ofLoadBalancers,
      this.#reflect(addressPools, this.pools.store, storedPool, namespace),
      this.#reflect(bgpPeers, this.peers.store, storedPeer, namespace),
      this.#reflect(bfdProfiles, this.profiles, projectProfile, namespace),
      this.#reflect(secrets, this.#passwords, projectPassword, namespace, PASSWORDS_ONLY),
      this.#reflect(nodes, this.nodes, projectNode),
      this.#reflect(services, this.services, projectService),
      this.#reflect(endpointSlices, this.#slices, projectSlice),
    ];
    const { services: ofServices, nodes: ofNodes, pools, peers, profiles } = this;
    const stores = [ofServices, ofNodes, pools.store, peers.store, profiles];
    for (const store of [...stores, this.#passwords, this.#slices, this.#loadBalancers]) {
      store.subscribe(() => options.onChange());
    }
  }

  /** One that cannot be read any more goes on as it was: without one the node would be emptied. */
  loadBalancer(): LoadBalancerView | undefined {
    const key = `${this.#options.namespace}/${LOADBALANCER_NAME}`;
    const isUnreadable = this.#ofLoadBalancers.reflector.unreadable().has(key);
    if (!isUnreadable) this.#lastLoadBalancer = this.#loadBalancers.get(key);
    return this.#lastLoadBalancer;
  }

  /** Of a Secret in the install namespace; undefined if there is none of the right type, or none in it. */
  password(secret: string): Password | undefined {
    return this.#passwords.get(`${this.#options.namespace}/${secret}`);
  }

  slicesOf(service: string): readonly SliceView[] {
    return this.#slicesByService.get(service);
  }

  /** Resolves when every store has been filled once. */
  async synced(): Promise<void> {
    await Promise.all(this.#running.map(({ reflector }) => reflector.synced()));
  }

  /** Resources that were not listed yet. */
  missing(): string[] {
    return this.#running.filter(({ reflector }) => !reflector.hasSynced()).map(({ resource }) => resource);
  }

  reports(): SourceReport[] {
    return this.#running.map(({ resource, reflector }) => ({
      resource,
      counts: reflector.counts(),
      lastContact: reflector.lastContact(),
    }));
  }

  /** What others wrote that this speaker leaves out, by kind and name. */
  unusable(): Unusable[] {
    const unread = this.#running.flatMap(({ resource, reflector }) =>
      [...reflector.unreadable()].map(([key, why]) => ({ object: `${resource} ${key}`, why })),
    );
    return [...unread, ...this.pools.refused, ...this.peers.refused];
  }

  /** Until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all(this.#running.map(({ reflector }) => reflector.start(signal)));
  }

  #reflect<Raw extends KubeObject, T>(
    resource: Resource<Raw>,
    store: Store<T>,
    project: (raw: Raw) => T | undefined,
    namespace?: string,
    fieldSelector?: string,
  ): Running {
    const { client, clock, random, log, onSetback } = this.#options;
    const reflector = new Reflector<Raw, T>({
      client,
      resource,
      store,
      project,
      clock,
      random,
      log,
      ...(onSetback === undefined ? {} : { onSetback }),
      ...(namespace === undefined ? {} : { namespace }),
      ...(fieldSelector === undefined ? {} : { fieldSelector }),
    });
    return { resource: resource.plural, reflector };
  }
}
