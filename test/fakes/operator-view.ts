/** Views of the operator for tests: a settled installation, and what differs from it. */
import type { DaemonSet, Deployment, LoadBalancer } from "#common/kube/resource.ts";
import { daemonSets, deployments } from "#common/kube/resource.ts";
import type { KubeObject } from "#common/kube/wire.ts";
import { wantedChildren } from "#operator/children/all.ts";
import type { Site } from "#operator/children/child.ts";
import type { Owners } from "#operator/children/owners.ts";
import { settingsOf } from "#operator/settings.ts";
import type { ActualChild, LeaseView, OperatorView, PodView, SpeakerView } from "#operator/view.ts";

export const site: Site = {
  namespace: "genkan-system",
  images: { controller: "genkan.dev/controller:v1", speaker: "genkan.dev/speaker:v1" },
  pullPolicy: "IfNotPresent",
  networkPolicy: "Enabled",
};
export const certificate = { certificate: "CERTIFICATE", key: "KEY", authorities: "AUTHORITIES" };
export const gossipKeys = "KEY 2026-11-21T12:00:00.000Z\n";
export const owners: Owners = {
  loadBalancer: { name: "loadbalancer", uid: "u" },
  namespace: { name: site.namespace, uid: "u-namespace" },
};
export const now = new Date("2026-11-21T12:00:00Z");
export const secondsAgo = (seconds: number): string =>
  new Date(now.getTime() - seconds * 1_000).toISOString().replace(/\.\d{3}Z$/, "Z");

export function balancer(metadata: Partial<KubeObject["metadata"]> = {}, spec = {}): LoadBalancer {
  return {
    metadata: {
      name: "loadbalancer",
      namespace: site.namespace,
      uid: "u",
      resourceVersion: "1",
      generation: 3,
      ...metadata,
    },
    spec,
  } as LoadBalancer;
}

const deploymentStatus = {
  observedGeneration: 1,
  replicas: 2,
  updatedReplicas: 2,
  availableReplicas: 2,
} as const;
const daemonSetStatus = {
  observedGeneration: 1,
  desiredNumberScheduled: 3,
  currentNumberScheduled: 3,
  updatedNumberScheduled: 3,
  numberAvailable: 3,
} as const;

/** What the API server would hold of all children: as wanted, with an identity and a status. */
export function settledChildren(
  statuses: { readonly deployment?: object; readonly daemonSet?: object } = {},
  spec = {},
): ActualChild[] {
  const settings = settingsOf(spec);
  const wanted = wantedChildren({ site, settings, certificate, gossipKeys, owners, isAdmissionOn: true });
  return wanted.map(({ resource, object }) => {
    const metadata = { ...object.metadata, uid: "u", resourceVersion: "1", generation: 1 };
    const status =
      resource.kind === deployments.kind
        ? { ...deploymentStatus, ...statuses.deployment }
        : resource.kind === daemonSets.kind
          ? { ...daemonSetStatus, ...statuses.daemonSet }
          : undefined;
    const received = { ...object, metadata, ...(status === undefined ? {} : { status }) };
    return { resource, object: received as Deployment | DaemonSet | KubeObject, strangers: [] };
  });
}

export function view(change: Partial<OperatorView> = {}): OperatorView {
  return {
    site,
    home: { uid: owners.namespace.uid, isTerminating: false },
    now,
    loadBalancer: balancer(),
    misnamed: [],
    children: settledChildren(),
    rivals: [],
    podRefusals: [],
    speakers: [],
    pods: [],
    nodes: new Set(["node1", "node2", "node3"]),
    leases: [],
    withoutControllersMs: 0,
    withoutSpeakersMs: 0,
    peering: { hasPeers: false, hasFastProfile: false, passwordSecrets: [] },
    certificate,
    gossipKeys,
    ...change,
  };
}

export const pod = (node: string, change: Partial<PodView> = {}): PodView => ({
  name: `speaker-${node}`,
  component: "speaker",
  node,
  isReady: true,
  problem: undefined,
  unreadySince: undefined,
  createdAt: secondsAgo(3_600),
  goneBy: undefined,
  ...change,
});

export const speaker = (
  node: string,
  type?: string,
  status = "True",
  reason = "R",
  message = "",
): SpeakerView => ({
  node,
  uid: `u-${node}`,
  conditions: type === undefined ? [] : [{ type, status, reason, message }],
});

export const lease = (node: string): LeaseView => ({ name: `speaker-${node}`, node });
