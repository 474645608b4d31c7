/** What a speaker knows of a cluster of three nodes with one Service, each part to be changed by a test. */
import { Pools } from "#speaker/known/pools.ts";
import {
  ALL_WELL,
  type ClusterView,
  type EndpointView,
  type HealthCheck,
  NO_CLAIMS,
  type NodeView,
  type PoolView,
  type ServiceView,
  type SliceView,
  type SpeakerState,
} from "#speaker/known/view.ts";

export const NAMES = ["n1", "n2", "n3"];
export const VIP = "172.30.0.200";

export const node = (name: string, labels: Record<string, string> = {}): NodeView => ({
  name,
  labels,
  addresses: { IPv4: `172.30.0.${name.slice(1)}`, IPv6: `fd30::${name.slice(1)}` },
  own: [`172.30.0.${name.slice(1)}`, `fd30::${name.slice(1)}`],
});

export const state = (name: string, changes: Partial<SpeakerState> = {}): SpeakerState => ({
  isReady: true,
  links: [{ name: "eth0", prefixes: [`172.30.0.${name.slice(1)}/24`, `fd30::${name.slice(1)}/64`] }],
  ...changes,
});

export const service = (changes: Partial<ServiceView> = {}): ServiceView => ({
  key: "default/web",
  uid: "u1",
  createdAt: "2026-01-01T00:00:00Z",
  labels: {},
  vips: [VIP],
  ids: { "IPv4/TCP/80": 7, "IPv6/TCP/80": 8 },
  ports: [{ name: "http", protocol: "TCP", port: 80 }],
  isLocal: false,
  hasAffinity: false,
  sourceRanges: { IPv4: [], IPv6: [] },
  ...changes,
});

/** That of a Service whose annotations ask for HTTP, and say no more. */
export const CHECK: HealthCheck = {
  kind: "http",
  path: "/",
  status: [200, 399],
  grpcService: "",
  intervalMs: 500,
  timeoutMs: 300,
  rise: 2,
  fall: 2,
};

export const endpoint = (last: number, on: string, changes: Partial<EndpointView> = {}): EndpointView => ({
  address: `10.244.0.${last}`,
  node: on,
  isReady: true,
  isServing: true,
  isTerminating: false,
  ...changes,
});

export const slice = (endpoints: readonly EndpointView[], changes: Partial<SliceView> = {}): SliceView => ({
  family: "IPv4",
  service: "default/web",
  ports: [{ name: "http", protocol: "TCP", port: 8080 }],
  endpoints,
  ...changes,
});

export interface World {
  services?: readonly ServiceView[];
  slices?: readonly SliceView[];
  nodes?: readonly NodeView[];
  pools?: readonly PoolView[];
  live?: readonly string[];
  dead?: readonly string[];
  states?: Readonly<Record<string, SpeakerState>>;
  mode?: "IPVS" | "KubeProxy";
  nodeSelector?: Record<string, string>;
  ignoresExcludeLabel?: true;
  translates?: true;
  prefersLocal?: true;
  tunnel?: NonNullable<ClusterView["loadBalancer"]["tunnel"]>;
  onLink?: readonly string[];
  keepsOwners?: boolean;
  drain?: "Cordon" | "Taint" | "None";
  claims?: ClusterView["claims"];
  health?: ClusterView["health"];
  drains?: NonNullable<ClusterView["drains"]>;
}

export const POOL: PoolView = {
  name: "pool",
  addresses: ["172.30.0.0/24", "fd30::/64"],
  protocol: "layer2",
  nodeSelectors: [],
  interfaces: [],
  advertisements: [],
};

export function view(world: World, own = "n1"): ClusterView {
  const nodes = world.nodes ?? NAMES.map((name) => node(name));
  const states = world.states ?? Object.fromEntries(NAMES.map((name) => [name, state(name)]));
  return {
    node: own,
    loadBalancer: {
      generation: 1,
      isDeleting: false,
      nodeSelector: world.nodeSelector ?? {},
      mode: world.mode ?? "IPVS",
      scheduler: "mh",
      connectionSync: false,
      addressConflict: "defend",
      keepsOwners: world.keepsOwners ?? true,
      drain: world.drain ?? "Cordon",
      drainTaints: ["example.com/leave"],
      gossipPort: 7474,
      ...(world.translates === true ? { translates: true } : {}),
      ...(world.prefersLocal === true ? { prefersLocal: true } : {}),
      ...(world.tunnel === undefined ? {} : { tunnel: world.tunnel }),
      ...(world.ignoresExcludeLabel === true ? { ignoresExcludeLabel: true } : {}),
    },
    ...(world.onLink === undefined ? {} : { onLink: world.onLink }),
    nodes: new Map(nodes.map((entry) => [entry.name, entry])),
    pools: new Pools(world.pools ?? [POOL]),
    services: new Map((world.services ?? [service()]).map((one) => [one.key, one])),
    slicesOf: (key) => (world.slices ?? [slice([endpoint(1, "n1")])]).filter((one) => one.service === key),
    members: { live: world.live ?? NAMES, dead: world.dead ?? [], states: new Map(Object.entries(states)) },
    claims: world.claims ?? NO_CLAIMS,
    health: world.health ?? ALL_WELL,
    ...(world.drains === undefined ? {} : { drains: world.drains }),
  };
}
