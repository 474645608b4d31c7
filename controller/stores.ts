/**
 * What the leader watches. Each term reads everything again: a list from before it may lack addresses that another
 * gave.
 */
import { LOADBALANCER_NAME } from "#api/names.ts";
import type { Clock } from "#common/clock.ts";
import type { KubeClient } from "#common/kube/client.ts";
import { Reflector } from "#common/kube/reflector.ts";
import {
  type AddressPool,
  addressPools,
  type LoadBalancer,
  loadBalancers,
  type Namespace,
  namespaces,
  type Service,
  type SpeakerStatus,
  services,
  speakerStatuses,
} from "#common/kube/resource.ts";
import type { OnSetback } from "#common/kube/setbacks.ts";
import { type Index, Store } from "#common/kube/store.ts";
import type { Logger } from "#common/log.ts";
import type { Random } from "#common/random.ts";
import { projectService, type ServiceRecord } from "#controller/allocation/service.ts";
import { ReservedWatch } from "#controller/reserved-watch.ts";
import { projectSpeaker, type SpeakerRecord } from "#controller/status/handover.ts";

export type Labels = Readonly<Record<string, string>>;
/** The part of the LoadBalancer that is looked at, so that other changes of its status cause no pass. */
export type LoadBalancerRecord = Pick<LoadBalancer, "spec"> & {
  readonly metadata: {
    readonly name: string;
    readonly generation?: number;
    readonly deletionTimestamp?: string;
  };
  /** Speakers that there are to be. */
  readonly speakers?: number;
};

export interface Stores {
  readonly services: Store<ServiceRecord>;
  readonly servicesIn: Index<ServiceRecord>;
  readonly pools: Store<AddressPool>;
  readonly loadBalancers: Store<LoadBalancerRecord>;
  readonly speakers: Store<SpeakerRecord>;
  readonly namespaces: Store<Labels>;
  readonly reserved: Pick<ReservedWatch, "reserved" | "onChange">;
}

export interface StoresOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly onSetback?: OnSetback;
  readonly namespace: string;
}

/**
 * Resolves when every list is complete, or the signal aborted. `ended` resolves after the signal, when all is still.
 */
export async function openStores(
  options: StoresOptions,
  signal: AbortSignal,
): Promise<{ readonly stores: Stores; readonly ended: Promise<unknown> }> {
  const serviceStore = new Store<ServiceRecord>();
  const { namespace, ...common } = options;
  const reserved = new ReservedWatch(common);
  const stores: Stores = {
    services: serviceStore,
    servicesIn: serviceStore.addIndex((service) => [service.namespace]),
    pools: new Store<AddressPool>(),
    loadBalancers: new Store<LoadBalancerRecord>(),
    speakers: new Store<SpeakerRecord>(),
    namespaces: new Store<Labels>(),
    reserved,
  };
  const reflectors = [
    // Larger pages than the default: this is all that a takeover waits for.
    new Reflector<Service, ServiceRecord>({
      ...common,
      resource: services,
      store: stores.services,
      project: projectService,
      pageSize: 250,
    }),
    new Reflector<AddressPool>({ ...common, namespace, resource: addressPools, store: stores.pools }),
    new Reflector<LoadBalancer, LoadBalancerRecord>({
      ...common,
      namespace,
      resource: loadBalancers,
      store: stores.loadBalancers,
      fieldSelector: `metadata.name=${LOADBALANCER_NAME}`,
      project: projectLoadBalancer,
    }),
    new Reflector<SpeakerStatus, SpeakerRecord>({
      ...common,
      namespace,
      resource: speakerStatuses,
      store: stores.speakers,
      project: projectSpeaker,
    }),
    new Reflector<Namespace, Labels>({
      ...common,
      resource: namespaces,
      store: stores.namespaces,
      project: (raw) => raw.metadata.labels ?? {},
    }),
  ];
  const watching = reserved.start(signal);
  const ended = Promise.all([
    ...reflectors.map((reflector) => reflector.start(signal)),
    watching.then((watch) => watch.ended),
  ]);
  await Promise.race([Promise.all([...reflectors.map((reflector) => reflector.synced()), watching]), ended]);
  return { stores, ended };
}

function projectLoadBalancer(raw: LoadBalancer): LoadBalancerRecord {
  const { name, generation, deletionTimestamp } = raw.metadata;
  const speakers = raw.status?.speakers?.desired;
  return {
    metadata: {
      name,
      ...(generation === undefined ? {} : { generation }),
      ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }),
    },
    spec: raw.spec,
    ...(speakers === undefined ? {} : { speakers }),
  };
}
