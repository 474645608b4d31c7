/** A cluster as it would be after a change: what files have is put over what is there. Pure. */
import { API_VERSION, GROUP } from "#api/names.ts";
import { faultsOf } from "#api/v1beta1/admission/judge.ts";
import type { AdmissionView } from "#api/v1beta1/admission/view.ts";
import { faultText } from "#api/v1beta1/fault.ts";
import type * as generated from "#api/v1beta1/generated/types.ts";
import type { Manifest } from "#cli/documents.ts";
import type { Everything, Snapshot } from "#cli/read.ts";
import type { WorldSnapshot } from "#cli/world.ts";
import type { KubeObject, ObjectMeta } from "#common/kube/wire.ts";

/** All that decides about addresses, owners and prefixes. */
export type PlanSnapshot = WorldSnapshot & Snapshot<"namespaces" | "serviceCIDRs">;

export interface Change {
  readonly manifests: readonly Manifest[];
  /** Nodes without their pods and speaker. */
  readonly drained: readonly string[];
  /** Pools that are deleted. */
  readonly withoutPools: readonly string[];
}

export interface Changed {
  readonly snapshot: PlanSnapshot;
  /** What the cluster would not take, and why. */
  readonly refused: readonly string[];
  /** Manifests of kinds that decide nothing here: how many. */
  readonly passedOver: number;
}

/** Kind -> where it is in a snapshot. */
const OURS: Readonly<Record<string, "loadBalancers" | "pools" | "peers" | "profiles">> = {
  LoadBalancer: "loadBalancers",
  AddressPool: "pools",
  BGPPeer: "peers",
  BFDProfile: "profiles",
};
const OTHERS: Readonly<Record<string, "services" | "nodes" | "namespaces">> = {
  "v1 Service": "services",
  "v1 Node": "nodes",
  "v1 Namespace": "namespaces",
};

export function changed(before: PlanSnapshot, { manifests, drained, withoutPools }: Change): Changed {
  let snapshot = withoutNodes(before, drained);
  snapshot = {
    ...snapshot,
    pools: snapshot.pools.filter(({ metadata }) => !withoutPools.includes(metadata.name)),
  };
  const refused = [
    ...missing("Node", drained, before.nodes),
    ...missing("AddressPool", withoutPools, before.pools),
  ];
  let passedOver = 0;
  for (const manifest of manifests) {
    const ours = manifest.apiVersion === API_VERSION ? OURS[manifest.kind] : undefined;
    const kind = ours ?? OTHERS[`${manifest.apiVersion} ${manifest.kind}`];
    if (kind === undefined) {
      passedOver += 1;
      continue;
    }
    const object = applied(snapshot, kind, manifest);
    const [fault] =
      ours === undefined ? [] : faultsOf({ ...object, kind: manifest.kind } as never, viewOf(snapshot));
    if (fault === undefined) snapshot = withObject(snapshot, kind, object);
    else refused.push(`${manifest.kind} ${object.metadata.name}: ${faultText(fault)}`);
  }
  return { snapshot, refused, passedOver };
}

function missing(kind: string, names: readonly string[], objects: readonly KubeObject[]): string[] {
  return names
    .filter((name) => !objects.some(({ metadata }) => metadata.name === name))
    .map((name) => `${kind} ${name}: there is none`);
}

/** What is said of others of ours while one is judged. */
function viewOf({ namespace, pools, peers, profiles }: PlanSnapshot): AdmissionView {
  return {
    namespace,
    pools: pools as unknown as readonly generated.AddressPool[],
    peers: peers as unknown as readonly generated.BGPPeer[],
    profiles: profiles as unknown as readonly generated.BFDProfile[],
    services: [],
  };
}

type Kind = keyof Everything & keyof PlanSnapshot;

/**
 * The object as `kubectl apply` leaves it: of our kinds the manifest's whole spec; of others, which the API server fills
 * in, the fields that the manifest has over those that are there. What it does not say of labels and annotations stays.
 */
function applied(snapshot: PlanSnapshot, kind: Kind, manifest: Manifest): KubeObject {
  const isOurs = manifest.apiVersion.startsWith(`${GROUP}/`);
  const said = (manifest.metadata ?? {}) as Partial<ObjectMeta>;
  const isNamespaced = isOurs || kind === "services";
  const namespace = said.namespace ?? (isOurs ? snapshot.namespace : "default");
  const place = { name: String(said.name ?? ""), ...(isNamespaced && { namespace }) };
  const present = (snapshot[kind] as readonly KubeObject[]).find((one) => isAt(one, place));
  const metadata: ObjectMeta = {
    uid: `${manifest.kind}/${namespace}/${place.name}`,
    resourceVersion: "",
    creationTimestamp: snapshot.at.toISOString().replace(/\.\d{3}Z$/, "Z"),
    ...present?.metadata,
    ...place,
    generation: (present?.metadata.generation ?? 0) + 1,
    labels: { ...present?.metadata.labels, ...said.labels },
    annotations: { ...present?.metadata.annotations, ...said.annotations },
  };
  const spec = isOurs
    ? manifest.spec
    : { ...(present as { spec?: object } | undefined)?.spec, ...(manifest.spec as object | undefined) };
  return { ...present, apiVersion: manifest.apiVersion, kind: manifest.kind, metadata, spec } as KubeObject;
}

const isAt = ({ metadata }: KubeObject, { name, namespace }: { name: string; namespace?: string }): boolean =>
  metadata.name === name && (namespace === undefined || metadata.namespace === namespace);

function withObject(snapshot: PlanSnapshot, kind: Kind, object: KubeObject): PlanSnapshot {
  const { name, namespace } = object.metadata;
  const place = { name, ...(namespace !== undefined && { namespace }) };
  const others = (snapshot[kind] as readonly KubeObject[]).filter((one) => !isAt(one, place));
  return { ...snapshot, [kind]: [...others, object] };
}

/** Drained, and then switched off: its pods are elsewhere or gone, and its speaker has said goodbye. */
function withoutNodes(snapshot: PlanSnapshot, drained: readonly string[]): PlanSnapshot {
  if (drained.length === 0) return snapshot;
  const isGone = (node: string | undefined): boolean => node !== undefined && drained.includes(node);
  return {
    ...snapshot,
    leases: snapshot.leases.filter(({ metadata }) => !isGone(metadata.name.replace(/^speaker-/, ""))),
    slices: snapshot.slices.map((slice) => ({
      ...slice,
      endpoints: (slice.endpoints ?? []).filter(({ nodeName }) => !isGone(nodeName)),
    })),
  };
}
