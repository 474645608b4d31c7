/**
 * What the speaker knows of the cluster: stores that are kept equal to the API server's objects. Of each object only
 * what is used is stored.
 */
import type { LogLevel } from "#api/log-level.ts";
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
  type Service,
  services,
} from "#common/kube/resource.ts";
import type { OnSetback } from "#common/kube/setbacks.ts";
import { type Index, Store } from "#common/kube/store.ts";
import type { KubeObject } from "#common/kube/wire.ts";
import type { Logger } from "#common/log.ts";
import type { Random } from "#common/random.ts";
import { AcceptedPeers, storedPeer } from "./accepted-peers.ts";
import { AcceptedPools, storedPool } from "./accepted-pools.ts";
import { ChangedServices } from "./changed-services.ts";
import { GossipKeys } from "./gossip-keys.ts";
import type { Password } from "./password.ts";
import { Passwords } from "./passwords.ts";
import { projectLoadBalancer, projectNode, projectService, projectSlice } from "./project.ts";
import { projectProfile } from "./project-bgp.ts";
import { type ReceiverSecret, ReceiverSecrets } from "./receiver-secrets.ts";
import { Takers } from "./takers.ts";
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
  /** What the LoadBalancer says now. */
  readonly onLogLevel?: (level: LogLevel) => void;
  /** Where traces go to; undefined: nowhere. */
  readonly onTraces?: (endpoint: string | undefined) => void;
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

/** So long after a change of a BGPPeer the Secret that it names is asked for. */
const PASSWORDS_AFTER_MS = 50;

export class Sources {
  readonly services = new Store<ServiceView>();
  readonly nodes = new Store<NodeView>();
  readonly pools: AcceptedPools;
  readonly peers: AcceptedPeers;
  readonly profiles = new Store<ProfileView>();
  /** Services that have to be planned anew. */
  readonly changed: ChangedServices;
  /** By whom kube-proxy takes addresses for itself. */
  readonly takers: Takers;
  readonly #passwords: Passwords;
  readonly #receiverSecrets: ReceiverSecrets;
  readonly #gossipKeys: GossipKeys;
  #isWantingSoon = false;
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
    this.takers = new Takers(options.onChange);
    this.pools = new AcceptedPools(options);
    this.#passwords = new Passwords(options);
    this.#receiverSecrets = new ReceiverSecrets(options);
    this.#gossipKeys = new GossipKeys(options);
    this.changed = new ChangedServices(this.services, this.#slices);
    this.#slicesByService = this.#slices.addIndex(({ service }) => [service]);
    const { namespace } = options;
    this.#ofLoadBalancers = this.#reflect(loadBalancers, this.#loadBalancers, projectLoadBalancer, namespace);
    this.#running = [
      this.#ofLoadBalancers,
      this.#reflect(addressPools, this.pools.store, storedPool, namespace),
      this.#reflect(bgpPeers, this.peers.store, storedPeer, namespace),
      this.#reflect(bfdProfiles, this.profiles, projectProfile, namespace),
      this.#reflect(nodes, this.nodes, projectNode),
      this.#reflectServices(),
      this.#reflect(endpointSlices, this.#slices, projectSlice),
    ];
    const { services: ofServices, nodes: ofNodes, pools, peers, profiles } = this;
    const stores = [ofServices, ofNodes, pools.store, peers.store, profiles];
    for (const store of [...stores, this.#slices, this.#loadBalancers]) {
      store.subscribe(() => options.onChange());
    }
    peers.store.subscribe(() => this.#wantPasswordsSoon());
    this.#loadBalancers.subscribe(() => {
      const present = this.loadBalancer();
      if (present !== undefined) options.onLogLevel?.(present.logLevel ?? "info");
      this.#receiverSecrets.want(present?.receiver === undefined ? [] : [present.receiver.secret]);
      options.onTraces?.(present?.traceEndpoint);
    });
  }

  /** A LoadBalancer that cannot be read any more goes on as it was, because without one the node would be cleaned. */
  loadBalancer(): LoadBalancerView | undefined {
    const key = `${this.#options.namespace}/${LOADBALANCER_NAME}`;
    const isUnreadable = this.#ofLoadBalancers.reflector.unreadable().has(key);
    if (!isUnreadable) this.#lastLoadBalancer = this.#loadBalancers.get(key);
    return this.#lastLoadBalancer;
  }

  /**
   * The password in a Secret of the install namespace. Undefined if the Secret is missing, has another type, or has no
   * password.
   */
  password(secret: string): Password | undefined {
    return this.#passwords.get(secret);
  }

  /** What signs calls to the receiver; undefined if the Secret is missing, has another type, or cannot be used. */
  receiverSecret(secret: string): ReceiverSecret | undefined {
    return this.#receiverSecrets.get(secret);
  }

  /** The first one writes; undefined if there are none that can be used. */
  gossipKeys(): readonly Uint8Array[] | undefined {
    return this.#gossipKeys.get();
  }

  slicesOf(service: string): readonly SliceView[] {
    return this.#slicesByService.get(service);
  }

  /** Resolves when every store has been filled once. A password that cannot be read holds up only its session. */
  async synced(): Promise<void> {
    await Promise.all(this.#running.map(({ reflector }) => reflector.synced()));
    this.#wantPasswords();
    await this.#passwords.settled();
  }

  /** Resources that were not listed yet. */
  missing(): string[] {
    return this.#running.filter(({ reflector }) => !reflector.hasSynced()).map(({ resource }) => resource);
  }

  reports(): SourceReport[] {
    const passwords = this.#passwords.report();
    return [
      ...this.#running.map(({ resource, reflector }) => ({
        resource,
        counts: reflector.counts(),
        lastContact: reflector.lastContact(),
      })),
      ...(passwords === undefined ? [] : [{ resource: "secrets", ...passwords }]),
    ];
  }

  /** Objects that this speaker leaves out because it cannot use what others wrote, by kind and name. */
  unusable(): Unusable[] {
    const unread = this.#running.flatMap(({ resource, reflector }) =>
      [...reflector.unreadable()].map(([key, why]) => ({ object: `${resource} ${key}`, why })),
    );
    return [...unread, ...this.pools.refused, ...this.peers.refused];
  }

  /** Until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const running = this.#running.map(({ reflector }) => reflector.start(signal));
    await Promise.all([
      ...running,
      this.#passwords.run(signal),
      this.#gossipKeys.run(signal),
      this.#receiverSecrets.run(signal),
    ]);
  }

  /** Judging peers takes longer the more there are, so changes that come together are judged once. */
  #wantPasswordsSoon(): void {
    if (this.#isWantingSoon) return;
    this.#isWantingSoon = true;
    this.#options.clock.after(PASSWORDS_AFTER_MS, () => {
      this.#isWantingSoon = false;
      this.#wantPasswords();
    });
  }

  #wantPasswords(): void {
    this.#passwords.want(this.peers.list().flatMap(({ passwordSecret }) => passwordSecret ?? []));
  }

  #reflectServices(): Running {
    const project = (raw: Service): ServiceView | undefined => {
      this.takers.see(raw);
      return projectService(raw);
    };
    const onGone = (key: string): void => this.takers.forget(key);
    return this.#reflect(services, this.services, project, undefined, onGone);
  }

  #reflect<Raw extends KubeObject, T>(
    resource: Resource<Raw>,
    store: Store<T>,
    project: (raw: Raw) => T | undefined,
    namespace?: string,
    onGone?: (key: string) => void,
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
      ...(onGone === undefined ? {} : { onGone }),
    });
    return { resource: resource.plural, reflector };
  }
}
