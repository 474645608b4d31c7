/** What the leading operator watches, and the view of it. */
import {
  APP_NAME,
  CONTROLLER_NAME,
  DEFAULT_BFD_INTERVAL_MS,
  FIELD_MANAGER,
  GOSSIP_SECRET_NAME,
  LABEL_COMPONENT,
  LABEL_NAME,
  LABEL_SPEAKER_LEASE,
  LOADBALANCER_NAME,
  SAFE_BFD_INTERVAL_MS,
  SPEAKER_NAME,
  WEBHOOK_SECRET_NAME,
} from "#api/names.ts";
import type { Clock } from "#common/clock.ts";
import type { KubeClient } from "#common/kube/client.ts";
import type { ManagedFields } from "#common/kube/managers.ts";
import { Reflector } from "#common/kube/reflector.ts";
import {
  type BFDProfile,
  type BGPPeer,
  bfdProfiles,
  bgpPeers,
  clusterRoleBindings,
  clusterRoles,
  type Deployment,
  daemonSets,
  deployments,
  events,
  type KubeEvent,
  type Lease,
  type LoadBalancer,
  leases,
  loadBalancers,
  type Namespace,
  type Node,
  namespaces,
  networkPolicies,
  nodes,
  type Pod,
  podDisruptionBudgets,
  pods,
  type Resource,
  roleBindings,
  roles,
  type SpeakerStatus,
  secrets,
  serviceAccounts,
  services,
  speakerStatuses,
  validatingAdmissionPolicies,
  validatingAdmissionPolicyBindings,
  validatingWebhookConfigurations,
} from "#common/kube/resource.ts";
import type { OnSetback } from "#common/kube/setbacks.ts";
import { Store } from "#common/kube/store.ts";
import type { KubeObject } from "#common/kube/wire.ts";
import type { Logger } from "#common/log.ts";
import type { Random } from "#common/random.ts";
import {
  ANY_MANAGED_SELECTOR,
  LABEL_INSTANCE,
  managedSelector,
  type Site,
} from "#operator/children/child.ts";
import { Memory } from "#operator/memory.ts";
import { strangersIn } from "#operator/ownership.ts";
import type {
  ActualChild,
  HomeView,
  LeaseView,
  OperatorView,
  PodRefusalView,
  PodView,
  RivalView,
  SpeakerView,
} from "#operator/view.ts";

/** Every kind that a child can be of. */
const CHILD_RESOURCES: readonly Resource<KubeObject>[] = [
  serviceAccounts,
  roles,
  roleBindings,
  clusterRoles,
  clusterRoleBindings,
  secrets,
  services,
  deployments,
  daemonSets,
  podDisruptionBudgets,
  networkPolicies,
  validatingWebhookConfigurations,
  // Last: a removal takes the rights before it takes their limits.
  validatingAdmissionPolicyBindings,
  validatingAdmissionPolicies,
];

export interface StoresOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly onSetback?: OnSetback;
  readonly site: Site;
}

export class Stores {
  readonly loadBalancers = new Store<LoadBalancer>();
  readonly #children: { readonly resource: Resource<KubeObject>; readonly store: Store<ActualChild> }[] = [];
  readonly #speakers = new Store<SpeakerView>();
  readonly #pods = new Store<PodView>();
  readonly #nodes = new Store<true>();
  /** BGPPeer -> the Secret with its password, or nothing. */
  readonly #peers = new Store<string>();
  /** BFDProfile -> whether it is a fast one. */
  readonly #profiles = new Store<{ readonly isFast: boolean }>();
  readonly #leases = new Store<LeaseView>();
  readonly #home = new Store<HomeView>();
  readonly #podRefusals = new Store<PodRefusalView>();
  readonly #memory: Memory;
  readonly #options: StoresOptions;

  constructor(options: StoresOptions) {
    this.#options = options;
    this.#memory = new Memory(options.clock);
  }

  /** Resolves when all lists are complete; goes on until `signal` aborts. `onChange`: something is different. */
  async start(onChange: () => void, signal: AbortSignal): Promise<void> {
    const { site, ...common } = this.#options;
    const { namespace } = site;
    const ours = { ...common, namespace };
    const app = `${LABEL_NAME}=${APP_NAME}`;
    const reflectors: { start(signal: AbortSignal): Promise<void>; synced(): Promise<void> }[] = [
      new Reflector({ ...ours, resource: loadBalancers, store: this.loadBalancers }),
      new Reflector<SpeakerStatus, SpeakerView>({
        ...ours,
        resource: speakerStatuses,
        store: this.#speakers,
        project: speakerOf,
      }),
      new Reflector<Pod, PodView>({
        ...ours,
        resource: pods,
        store: this.#pods,
        project: podOf,
        labelSelector: app,
      }),
      new Reflector<Node, true>({ ...common, resource: nodes, store: this.#nodes, project: () => true }),
      new Reflector<BGPPeer, string>({
        ...ours,
        resource: bgpPeers,
        store: this.#peers,
        project: ({ spec }) => spec.passwordSecret?.name ?? "",
      }),
      new Reflector<BFDProfile, { isFast: boolean }>({
        ...ours,
        resource: bfdProfiles,
        store: this.#profiles,
        project: (profile) => ({ isFast: isFastProfile(profile) }),
      }),
      new Reflector<Namespace, HomeView>({
        ...common,
        resource: namespaces,
        store: this.#home,
        fieldSelector: `metadata.name=${namespace}`,
        project: ({ metadata }) => ({
          uid: metadata.uid,
          isTerminating: metadata.deletionTimestamp !== undefined,
        }),
      }),
      new Reflector<KubeEvent, PodRefusalView>({
        ...ours,
        resource: events,
        store: this.#podRefusals,
        fieldSelector: `involvedObject.kind=${daemonSets.kind},involvedObject.name=${SPEAKER_NAME},reason=FailedCreate`,
        project: podRefusalOf,
      }),
      new Reflector<Lease, LeaseView>({
        ...ours,
        resource: leases,
        store: this.#leases,
        project: leaseOf,
        labelSelector: LABEL_SPEAKER_LEASE,
      }),
    ];
    for (const resource of CHILD_RESOURCES) {
      for (const selection of selectionsOf(resource, namespace)) {
        const store = new Store<ActualChild>();
        this.#children.push({ resource, store });
        store.subscribe(onChange);
        reflectors.push(
          new Reflector<KubeObject, ActualChild>({
            ...(resource.namespaced ? ours : common),
            resource,
            store,
            project: (object) => childOf(resource, object),
            ...selection,
          }),
        );
      }
    }
    const watched = [
      this.loadBalancers,
      this.#speakers,
      this.#pods,
      this.#nodes,
      this.#home,
      this.#podRefusals,
      this.#peers,
      this.#profiles,
    ];
    for (const store of watched) store.subscribe(onChange);
    for (const reflector of reflectors) {
      reflector
        .start(signal)
        .catch((error: unknown) => this.#options.log.error("a reflector ended", { error }));
    }
    await Promise.race([
      Promise.all(reflectors.map((reflector) => reflector.synced())),
      new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true })),
    ]);
  }

  /** The stored child's object; undefined if there is none. */
  child(resource: Resource<KubeObject>, name: string): KubeObject | undefined {
    return this.#children
      .filter((children) => children.resource === resource)
      .flatMap(({ store }) => store.list())
      .find((child) => child.object.metadata.name === name && this.#isOwn(child))?.object;
  }

  /** Of what has no namespace, the other namespaces' objects are seen too. */
  #isOwn({ resource, object }: ActualChild): boolean {
    const { namespace } = this.#options.site;
    return resource.namespaced || object.metadata.labels?.[LABEL_INSTANCE] === namespace;
  }

  view({ certificate, gossipKeys }: Pick<OperatorView, "certificate" | "gossipKeys">): OperatorView {
    const { site, clock } = this.#options;
    const all = this.loadBalancers.list();
    const made = this.#children.flatMap(({ store }) => store.list());
    return {
      site,
      home: this.#home.list()[0],
      now: clock.date(),
      loadBalancer: all.find((balancer) => balancer.metadata.name === LOADBALANCER_NAME),
      misnamed: all.filter((balancer) => balancer.metadata.name !== LOADBALANCER_NAME),
      children: made.filter((child) => this.#isOwn(child)),
      rivals: made.filter((child) => !this.#isOwn(child)).map(rivalOf),
      podRefusals: this.#podRefusals.list(),
      speakers: this.#speakers.list(),
      pods: this.#pods.list(),
      nodes: new Set(this.#nodes.keys()),
      leases: this.#leases.list(),
      withoutControllersMs: this.#memory.withoutControllersMs(
        this.child(deployments, CONTROLLER_NAME) as Deployment | undefined,
      ),
      withoutSpeakersMs: this.#memory.withoutSpeakersMs(this.#pods.list()),
      peering: {
        hasPeers: this.#peers.size > 0,
        hasFastProfile: this.#profiles.list().some(({ isFast }) => isFast),
        passwordSecrets: [...new Set(this.#peers.list())].filter((name) => name !== "").sort(),
      },
      certificate,
      gossipKeys,
    };
  }
}

/** Secrets by their names: the operator may read no others. Where others' objects have our names, they are read too. */
function selectionsOf(resource: Resource<KubeObject>, namespace: string) {
  if (resource.kind === "Secret")
    return [WEBHOOK_SECRET_NAME, GOSSIP_SECRET_NAME].map((name) => ({
      fieldSelector: `metadata.name=${name}`,
    }));
  return [{ labelSelector: resource.namespaced ? managedSelector(namespace) : ANY_MANAGED_SELECTOR }];
}

function rivalOf({ resource, object: { metadata } }: ActualChild): RivalView {
  return { what: `${resource.kind} ${metadata.name}`, namespace: metadata.labels?.[LABEL_INSTANCE] ?? "" };
}

function podRefusalOf(event: KubeEvent): PodRefusalView {
  const { involvedObject, message = "", lastTimestamp, eventTime, metadata } = event;
  const at = lastTimestamp ?? eventTime ?? metadata.creationTimestamp;
  return { uid: involvedObject.uid, message, at: String(at) };
}

function childOf(resource: Resource<KubeObject>, raw: KubeObject): ActualChild {
  const { managedFields = [], ...metadata } = raw.metadata;
  const strangers = strangersIn(managedFields as readonly ManagedFields[], FIELD_MANAGER.operator);
  return { resource, object: { ...raw, metadata }, strangers, fields: managedFields };
}

function speakerOf(raw: SpeakerStatus): SpeakerView {
  const { name, uid } = raw.metadata;
  return { node: name, uid, conditions: raw.status?.conditions ?? [] };
}

function podOf(raw: Pod): PodView | undefined {
  const component = raw.metadata.labels?.[LABEL_COMPONENT];
  if (component !== "controller" && component !== "speaker") return undefined;
  const ready = raw.status?.conditions?.find(({ type }) => type === "Ready");
  const waiting = raw.status?.containerStatuses?.find(({ state }) => state?.waiting !== undefined)?.state
    ?.waiting;
  const scheduled = raw.status?.conditions?.find(
    ({ type, status }) => type === "PodScheduled" && status === "False",
  );
  return {
    name: raw.metadata.name,
    component,
    node: raw.spec?.nodeName,
    isReady: ready?.status === "True",
    unreadySince:
      ready?.status === "True" ? undefined : (ready?.lastTransitionTime ?? raw.metadata.creationTimestamp),
    problem:
      waiting?.message ??
      waiting?.reason ??
      scheduled?.message ??
      (ready?.status === "True" ? undefined : ready?.message),
    createdAt: raw.metadata.creationTimestamp,
    // The API server sets it to the end of the grace time.
    goneBy: raw.metadata.deletionTimestamp,
  };
}

function isFastProfile({ spec }: BFDProfile): boolean {
  const { receiveInterval = DEFAULT_BFD_INTERVAL_MS, transmitInterval = DEFAULT_BFD_INTERVAL_MS } = spec;
  return spec.echoMode === true || Math.min(receiveInterval, transmitInterval) < SAFE_BFD_INTERVAL_MS;
}

function leaseOf({ metadata }: Lease): LeaseView | undefined {
  const node = metadata.labels?.[LABEL_SPEAKER_LEASE];
  return node === undefined ? undefined : { name: metadata.name, node };
}
