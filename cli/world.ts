/**
 * A cluster as its speakers know it: the same readers, the same rules about what counts, the same planner
 * (speaker/planning.ts puts them together in a speaker). What a speaker knows of its own links by its kernel is here what
 * it has published. Pure.
 */
import { LOADBALANCER_NAME } from "#api/names.ts";
import type { Snapshot } from "#cli/read.ts";
import { type Speakers, speakersOf } from "#cli/speakers.ts";
import { systemClock } from "#common/clock.ts";
import type { SpeakerStatus } from "#common/kube/resource.ts";
import { keyOf } from "#common/kube/wire.ts";
import { AcceptedPeers, storedPeer } from "#speaker/known/accepted-peers.ts";
import { AcceptedPools, storedPool } from "#speaker/known/accepted-pools.ts";
import type { Pools } from "#speaker/known/pools.ts";
import {
  parseState,
  projectLoadBalancer,
  projectNode,
  projectService,
  projectSlice,
} from "#speaker/known/project.ts";
import { projectProfile } from "#speaker/known/project-bgp.ts";
import { attempt, type Unusable } from "#speaker/known/usable.ts";
import type {
  ClusterView,
  LoadBalancerView,
  NodeView,
  PeerView,
  ProfileView,
  ServiceView,
  SliceView,
  SpeakerState,
} from "#speaker/known/view.ts";

export type WorldSnapshot = Snapshot<
  "loadBalancers" | "pools" | "peers" | "profiles" | "leases" | "services" | "slices" | "nodes" | "speakers"
>;

export interface World {
  /** undefined: there is none, and nobody does anything. */
  readonly loadBalancer: LoadBalancerView | undefined;
  readonly nodes: ReadonlyMap<string, NodeView>;
  readonly pools: Pools;
  readonly peers: readonly PeerView[];
  readonly profiles: ReadonlyMap<string, ProfileView>;
  readonly services: ReadonlyMap<string, ServiceView>;
  readonly slices: ReadonlyMap<string, readonly SliceView[]>;
  readonly speakers: Speakers;
  readonly states: ReadonlyMap<string, SpeakerState>;
  /** Address -> live nodes that report it as theirs. */
  readonly reporters: ReadonlyMap<string, readonly string[]>;
  /** Objects that cannot be read as they are, and why. */
  readonly unusable: readonly Unusable[];
}

export function worldOf(snapshot: WorldSnapshot): World {
  const unusable: Unusable[] = [];
  const project = <
    R extends { readonly metadata: { readonly name: string; readonly namespace?: string } },
    T,
  >(
    kind: string,
    objects: readonly R[],
    one: (raw: R) => T | undefined,
  ): readonly T[] =>
    objects.flatMap((raw) => attempt(unusable, `${kind} ${keyOf(raw)}`, () => one(raw)) ?? []);
  const balancers = snapshot.loadBalancers.filter(({ metadata }) => metadata.name === LOADBALANCER_NAME);
  const [loadBalancer] = project("LoadBalancer", balancers, projectLoadBalancer);
  const nodes = project("Node", snapshot.nodes, projectNode);
  const profiles = project("BFDProfile", snapshot.profiles, projectProfile);
  const services = project("Service", snapshot.services, projectService);
  const slices = project("EndpointSlice", snapshot.slices, projectSlice);
  const speakers = speakersOf(snapshot.leases, snapshot.at);
  const states = new Map<string, SpeakerState>();
  for (const [node, text] of speakers.states) {
    const state = parseState(text);
    if (state !== undefined) states.set(node, state);
  }
  const { pools, peers, refused } = configurationOf(snapshot);
  return {
    loadBalancer,
    nodes: new Map(nodes.map((node) => [node.name, node])),
    pools,
    peers,
    profiles: new Map(profiles.map((profile) => [profile.name, profile])),
    services: new Map(services.map((service) => [service.key, service])),
    slices: Map.groupBy(slices, ({ service }) => service),
    speakers,
    states,
    reporters: reportersOf(snapshot.speakers, speakers),
    unusable: [...unusable, ...refused],
  };
}

function reportersOf(statuses: readonly SpeakerStatus[], { live }: Speakers): Map<string, string[]> {
  const reporters = new Map<string, string[]>();
  for (const { metadata, status } of statuses) {
    if (!live.includes(metadata.name)) continue;
    for (const { address } of status?.addresses ?? []) {
      const own = reporters.get(address);
      if (own === undefined) reporters.set(address, [metadata.name]);
      else own.push(metadata.name);
    }
  }
  return reporters;
}

/** Claims go from speaker to speaker. What the API shows of them is who alone reports to own an address. */
function claimantOf({ reporters }: World, vip: string): string | undefined {
  const [claimant, ...others] = reporters.get(vip) ?? [];
  return others.length === 0 ? claimant : undefined;
}

/** Which pools and peers count. One that was valid before and is not now goes on in speakers, and is not known here. */
export function configurationOf({
  namespace,
  pools,
  peers,
}: Pick<WorldSnapshot, "namespace" | "pools" | "peers">): {
  readonly pools: Pools;
  readonly peers: readonly PeerView[];
  readonly refused: readonly Unusable[];
} {
  const acceptedPools = new AcceptedPools({ namespace, clock: systemClock, onChange: () => undefined });
  for (const pool of pools) acceptedPools.store.set(keyOf(pool), storedPool(pool));
  const acceptedPeers = new AcceptedPeers(namespace);
  for (const peer of peers) acceptedPeers.store.set(keyOf(peer), storedPeer(peer));
  return {
    pools: acceptedPools.current(),
    peers: acceptedPeers.list(),
    refused: [...acceptedPools.refused, ...acceptedPeers.refused],
  };
}

/** What the speaker of `node` plans from; "" for what is the same on all nodes. `services`: only these. */
export function viewOf(
  world: World,
  loadBalancer: LoadBalancerView,
  { node, services = world.services }: { readonly node: string; readonly services?: World["services"] },
): ClusterView {
  const { nodes, pools, slices, speakers, states } = world;
  return {
    node,
    loadBalancer,
    nodes,
    pools,
    services,
    slicesOf: (service) => slices.get(service) ?? [],
    members: { live: speakers.live, dead: speakers.dead, states },
    claims: { claimantOf: (vip) => claimantOf(world, vip), changed: new Set() },
    // What speakers found by their checks is in no object of the API.
    health: { isFailing: () => false, changed: new Set() },
  };
}
