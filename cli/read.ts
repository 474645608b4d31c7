/** What the commands read of a living cluster: each asks for no more kinds than it needs. */
import { LABEL_SPEAKER_LEASE } from "#api/names.ts";
import type { ClusterReader, Kind, Selection } from "#cli/cluster.ts";
import {
  addressPools,
  bfdProfiles,
  bgpPeers,
  endpointSlices,
  leases,
  loadBalancers,
  namespaces,
  nodes,
  type Resource,
  serviceCIDRs,
  services,
  speakerStatuses,
} from "#common/kube/resource.ts";
import type { KubeObject } from "#common/kube/wire.ts";

interface Source<T extends KubeObject> {
  readonly resource: Resource<T>;
  /** Of these only; the install namespace comes in where `isInstalled`. */
  readonly selection: Selection;
  /** Only what is in the install namespace counts. */
  readonly isInstalled: boolean;
}

const installed = <T extends KubeObject>(resource: Resource<T>, selection: Selection = {}): Source<T> => ({
  resource,
  selection,
  isInstalled: true,
});
const everywhere = <T extends KubeObject>(resource: Resource<T>, selection: Selection = {}): Source<T> => ({
  resource,
  selection,
  isInstalled: false,
});

const SOURCES = {
  loadBalancers: installed(loadBalancers),
  pools: installed(addressPools),
  peers: installed(bgpPeers),
  profiles: installed(bfdProfiles),
  speakers: installed(speakerStatuses),
  leases: installed(leases, { labelSelector: LABEL_SPEAKER_LEASE }),
  services: everywhere(services, { fieldSelector: "spec.type=LoadBalancer" }),
  slices: everywhere(endpointSlices),
  nodes: everywhere(nodes),
  namespaces: everywhere(namespaces),
  serviceCIDRs: everywhere(serviceCIDRs),
} as const;

/** What a kind is in the API, and whether only the install namespace is asked for it. */
export const sourceOf = (kind: keyof Everything): Pick<Source<KubeObject>, "resource" | "isInstalled"> =>
  SOURCES[kind];

type Sources = typeof SOURCES;
type ObjectOf<S> = S extends Source<infer T> ? T : never;

/** All that there is to read, by kind. */
export type Everything = { readonly [K in keyof Sources]: readonly ObjectOf<Sources[K]>[] };

/** What a command reads, and when that was by the API server's clock. */
export type Snapshot<K extends keyof Everything> = Pick<Everything, K> & {
  readonly namespace: string;
  readonly at: Date;
};

/** The cluster has none of our kinds. */
export class NotInstalledError extends Error {
  override readonly name = "NotInstalledError";
  readonly code = "NOT_INSTALLED";

  constructor(host: string) {
    super(`Genkan is not installed in the cluster at ${host}: it has no kind loadbalancers.genkan.dev`);
  }
}

export interface ReadOptions {
  readonly cluster: ClusterReader;
  /** In which Genkan is installed. */
  readonly namespace: string;
}

/** As much of it as lists need. */
interface Reading {
  readonly cluster: Pick<ClusterReader, "host" | "list" | "now">;
  readonly namespace: string;
}

/** One kind after the other, so that no list is old when the last one arrives. KubeError where the server refuses. */
export async function read<K extends keyof Everything>(
  { cluster, namespace }: Reading,
  ...kinds: readonly K[]
): Promise<Snapshot<K>> {
  const found: Partial<Record<K, readonly KubeObject[]>> = {};
  for (const kind of kinds) found[kind] = await listOf(cluster, SOURCES[kind], namespace);
  const at = cluster.now();
  if (at === undefined) throw new Error(`the API server at ${cluster.host} does not say what time it is`);
  return { ...(found as unknown as Pick<Everything, K>), namespace, at };
}

async function listOf(
  cluster: Reading["cluster"],
  { resource, selection, isInstalled }: Source<KubeObject>,
  namespace: string,
): Promise<readonly KubeObject[]> {
  const kind: Kind = resource;
  const objects = await cluster.list(kind, { ...selection, ...(isInstalled && { namespace }) });
  if (objects !== undefined) return objects;
  // Kinds of Kubernetes itself that an older cluster does not have are empty there.
  if (resource.group.endsWith("k8s.io")) return [];
  throw new NotInstalledError(cluster.host);
}
